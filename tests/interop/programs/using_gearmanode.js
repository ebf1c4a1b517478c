// The npm package gearmanode. Usage: node using_gearmanode.js worker HOST PORT | client HOST PORT CHECK...
const { once } = require("events");
const gearmanode = require("gearmanode");
const { queued, reversed, show } = require("./checks");

const [role, host, port, ...names] = process.argv.slice(2);
const server = { host, port: Number(port) };

function work(worker) {
  worker.addFunction("reverse", (job) => job.workComplete(reversed(job.payload)));
  worker.addFunction("data", (job) => {
    job.sendWorkData("a");
    job.sendWorkData("b");
    job.workComplete("c");
  });
  worker.addFunction("status", (job) => {
    job.reportStatus(50, 100);
    job.workComplete("");
  });
  worker.addFunction("warning", (job) => {
    job.reportWarning("careful");
    job.workComplete("");
  });
  worker.addFunction("fail", (job) => job.reportError());
  worker.addFunction("exception", (job) => job.reportException("boom"));
}

const client = gearmanode.client(server);

async function run(name, payload = "", options = {}) {
  const job = client.submitJob(name, payload, options);
  let result = "";
  job.on("workData", (data) => (result += data));
  await once(job, "complete");
  return result + job.response;
}

const checks = {
  reverse: () => run("reverse", "Hello World!"),
  high: () => run("reverse", "high", { priority: "HIGH" }),
  low: () => run("reverse", "low", { priority: "LOW" }),
  background: async () => {
    const job = client.submitJob("nobody", "", { background: true });
    await once(job, "created");
    job.getStatus();
    return queued((await once(job, "status"))[0]);
  },
  data: () => run("data"),
  status: async () => {
    const [status] = await once(client.submitJob("status", ""), "status");
    return `${status.percent_done_num}/${status.percent_done_den}`;
  },
  warning: async () => (await once(client.submitJob("warning", ""), "warning"))[0].toString(),
  fail: () => once(client.submitJob("fail", ""), "failed").then(() => "failed"),
  exception: async () => {
    client.jobServers[0].setOption("exceptions");
    return (await once(client.submitJob("exception", ""), "exception"))[0].toString();
  },
};

if (role === "worker") {
  work(gearmanode.worker(server));
} else {
  show(checks, names);
}
