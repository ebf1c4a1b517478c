// A job on a schedule, by the npm package abraxas. Usage: node scheduling_abraxas.js HOST PORT
const abraxas = require("abraxas");
const [host, port] = process.argv.slice(2);
const client = abraxas.Client.connect({ host, port: Number(port), defaultEncoding: "utf8" });
client.submitJobSched("nightly", { minute: 30, hour: 4, dow: 0 }, {}, "w", (error, handle) => {
  console.log(error ? error.message : handle);
  process.exit(error ? 1 : 0);
});
