// What the node programs share.

// Runs the checks that were asked for, one after the other, and prints what each saw.
exports.show = async (checks, names) => {
  for (const name of names) {
    console.log(`${name}: ${await checks[name]()}`);
  }
  process.exit(0);
};

exports.reversed = (payload) => [...payload.toString()].reverse().join("");

exports.queued = ({ known, running }) => (Number(known) && !Number(running) ? "queued" : "lost");
