// The talk's hello world: a worker in node. Usage: node reverse_worker.js [HOST [PORT]]
const gearmanode = require("gearmanode");

const [host = "127.0.0.1", port = 4730] = process.argv.slice(2);
const worker = gearmanode.worker({ host, port: Number(port) });
worker.addFunction("reverse", (job) => job.workComplete([...job.payload.toString()].reverse().join("")));
