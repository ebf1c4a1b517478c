// The npm package node-gearman. Usage: node using_node_gearman.js worker HOST PORT | client HOST PORT CHECK...
const Gearman = require("node-gearman");
const { reversed, show } = require("./checks");

const [role, host, port, ...names] = process.argv.slice(2);
const gearman = new Gearman(host, Number(port));

function work() {
  gearman.registerWorker("reverse", (payload, job) => job.end(reversed(payload)));
  gearman.registerWorker("data", (payload, job) => {
    job.write("a");
    job.write("b");
    job.end("c");
  });
  gearman.registerWorker("fail", (payload, job) => job.error());
}

const run = (name, payload, options) =>
  new Promise((resolve, reject) => {
    let result = "";
    const job = gearman.submitJob(name, payload, undefined, options);
    job.on("data", (data) => (result += data));
    job.on("end", () => resolve(result));
    job.on("error", reject);
  });

const checks = {
  reverse: () => run("reverse", "Hello World!"),
  high: () => run("reverse", "high", { priority: "high" }),
  low: () => run("reverse", "low", { priority: "low" }),
  data: () => run("data"),
  fail: () => run("fail").catch(() => "failed"),
};

if (role === "worker") {
  work();
} else {
  show(checks, names);
}
