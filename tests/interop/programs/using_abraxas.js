// The npm package abraxas. Usage: node using_abraxas.js worker HOST PORT | client HOST PORT CHECK...
const { once } = require("events");
const abraxas = require("abraxas");
const { reversed, show } = require("./checks");

const [role, host, port, ...names] = process.argv.slice(2);
const server = { host, port: Number(port), defaultEncoding: "utf8" };

function work(client) {
  client.registerWorker("reverse", (task) => reversed(task.payload));
  client.registerWorker("status", (task) => {
    task.status(0.5);
    task.end("done");
  });
  client.registerWorker("warning", (task) => {
    task.warn("careful");
    task.end("done");
  });
  client.registerWorker("exception", () => {
    throw "boom";
  });
}

function checks(client) {
  const run = (name, payload = "-", options = {}) => client.submitJob(name, options, payload);
  return {
    reverse: () => run("reverse", "Hello World!"),
    high: () => run("reverse", "high", { priority: "high" }),
    low: () => run("reverse", "low", { priority: "low" }),
    // Its getStatus takes every answer for an error, so the handle has to do.
    background: async () => ((await client.submitJobBg("nobody", {}, "-")).startsWith("H:") ? "queued" : "lost"),
    data: () => run("data"),
    status: async () => `${(await once(run("status"), "status"))[0] * 100}/100`,
    warning: async () => (await once(run("warning"), "warn"))[0],
    fail: () => run("fail").catch(() => "failed"),
    exception: () => run("exception").catch((error) => error.message.trim()),
  };
}

if (role === "worker") {
  work(abraxas.Client.connect(server));
} else {
  // Without this callback nothing keeps node running until the connection is there.
  abraxas.Client.connect(server, (error, client) => show(checks(client), names));
}
