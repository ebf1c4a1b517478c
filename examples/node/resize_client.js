// A thumbnail from node. Usage: node resize_client.js IN OUT [HOST [PORT]]
const { readFileSync, writeFileSync } = require("fs");
const gearmanode = require("gearmanode");

const [source, target, host = "127.0.0.1", port = 4730] = process.argv.slice(2);
const client = gearmanode.client({ host, port: Number(port) });
client.jobServers[0].setOption("exceptions");
const job = client.submitJob("resize", readFileSync(source));
job.on("complete", () => {
  writeFileSync(target, job.response);
  client.close();
});
job.on("exception", (text) => {
  console.error(text.toString());
  process.exitCode = 1;
  client.close();
});
