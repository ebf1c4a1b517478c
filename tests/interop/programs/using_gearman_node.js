// The npm package gearman-node. Usage: node using_gearman_node.js worker HOST PORT | client HOST PORT CHECK...
const { once } = require("events");
const { Client, Worker } = require("gearman-node");
const { reversed, show } = require("./checks");

const [role, host, port, ...names] = process.argv.slice(2);
const server = { host, port: Number(port) };

const functions = {
  reverse: (payload, job) => job.complete(reversed(payload)),
  data: (payload, job) => {
    job.data("a");
    job.data("b");
    job.complete("c");
  },
  status: (payload, job) => {
    job.status(50, 100);
    job.complete("");
  },
  warning: (payload, job) => {
    job.warning("careful");
    job.complete("");
  },
  fail: (payload, job) => job.error(),
};

function checks(client) {
  const result = async (name, payload = "") => (await once(client.submitJob(name, payload), "complete"))[1].toString();
  return {
    reverse: () => result("reverse", "Hello World!"),
    data: async () => {
      let heard = "";
      const job = client.submitJob("data", "");
      job.on("data", (handle, data) => (heard += data));
      return await once(job, "complete").then(([, rest]) => heard + rest);
    },
    status: async () => (await once(client.submitJob("status", ""), "status")).slice(1).join("/"),
    warning: async () => (await once(client.submitJob("warning", ""), "warning"))[1],
    fail: () => once(client.submitJob("fail", ""), "fail").then(() => "failed"),
  };
}

if (role === "worker") {
  Object.entries(functions).forEach(([name, call]) => new Worker(name, call, server)); // a connection for each
} else {
  show(checks(new Client(server)), names);
}
