// The talk's hello world: a client in node. Usage: node reverse_client.js [HOST [PORT]]
const gearmanode = require("gearmanode");

const [host = "127.0.0.1", port = 4730] = process.argv.slice(2);
const client = gearmanode.client({ host, port: Number(port) });
const job = client.submitJob("reverse", "Hello World!");
job.on("complete", () => {
  console.log(job.response.toString());
  client.close();
});
