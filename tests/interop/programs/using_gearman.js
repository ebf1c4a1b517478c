// The npm package gearman. Usage: node using_gearman.js worker HOST PORT | client HOST PORT CHECK...
const gearman = require("gearman");
const { queued, reversed, show } = require("./checks");

const [role, host, port, ...names] = process.argv.slice(2);

const client = gearman(host, Number(port)); // and worker: it is one object for both

function work(worker) {
  const functions = {
    reverse: (job) => worker.sendWorkComplete(job.handle, reversed(job.payload)),
    data: (job) => {
      worker.sendWorkData(job.handle, "a");
      worker.sendWorkData(job.handle, "b");
      worker.sendWorkComplete(job.handle, "c");
    },
    status: (job) => {
      worker.sendWorkStatus(job.handle, "50", "100");
      worker.sendWorkComplete(job.handle, "");
    },
    warning: (job) => {
      worker.sendWorkWarning(job.handle, "careful");
      worker.sendWorkComplete(job.handle, "");
    },
    fail: (job) => worker.sendWorkFail(job.handle),
    exception: (job) => worker.sendWorkException(job.handle, "boom"),
  };
  worker.on("NOOP", () => worker.grabJob());
  worker.on("NO_JOB", () => worker.preSleep());
  worker.on("JOB_ASSIGN", (job) => {
    functions[job.func_name](job);
    worker.preSleep();
  });
  worker.connect(() => {
    Object.keys(functions).forEach((name) => worker.addFunction(name));
    worker.preSleep();
  });
}

const next = (event) => new Promise((resolve) => client.on(event, resolve)); // it has no `once`

async function run(name, payload, options) {
  const done = next("WORK_COMPLETE");
  client.submitJob(name, payload, options);
  return (await done).payload.toString();
}

async function hear(name, event) {
  const heard = next(event);
  client.submitJob(name);
  return heard;
}

const checks = {
  reverse: () => run("reverse", "Hello World!"),
  high: () => run("reverse", "high", { priority: "high" }),
  low: () => run("reverse", "low", { priority: "low" }),
  background: async () => {
    const created = next("JOB_CREATED");
    const told = next("STATUS_RES");
    client.submitJob("nobody", "", { background: true });
    client.getJobStatus(await created);
    return queued(await told);
  },
  data: async () => {
    let heard = "";
    client.on("WORK_DATA", (job) => (heard += job.payload));
    return await run("data").then((rest) => heard + rest);
  },
  status: async () => {
    const { percent_num, percent_den } = await hear("status", "WORK_STATUS");
    return `${percent_num}/${percent_den}`;
  },
  warning: async () => (await hear("warning", "WORK_WARNING")).warning,
  fail: async () => (await hear("fail", "WORK_FAIL")) && "failed",
  exception: async () => {
    const agreed = next("OPTION_RES");
    client.setOption("exceptions");
    await agreed;
    return (await hear("exception", "WORK_EXCEPTION")).exception;
  },
};

if (role === "worker") {
  work(client);
} else {
  client.connect(() => show(checks, names));
}
