// node thumbnails.js time FORMAT TIMES FILE: the processor time of a thumbnail by sharp in milliseconds, the median.
// node thumbnails.js make DIRECTORY FILE=FORMAT...: sharp's default thumbnails of files, into a directory.
const fs = require('fs');
const path = require('path');
const sharp = require('sharp');

sharp.concurrency(1);
sharp.cache(false);

const thumbnail = (data, format) =>
    sharp(data).autoOrient().resize(200, 150, { fit: 'inside', withoutEnlargement: true }).toFormat(format).toBuffer();

async function time(format, times, file) {
    const data = fs.readFileSync(file);
    const spent = [];
    for (let round = 0; round < times; round++) {
        const before = process.cpuUsage();
        await thumbnail(data, format);
        const { user, system } = process.cpuUsage(before);
        spent.push((user + system) / 1000);
    }
    spent.sort((a, b) => a - b);
    console.log(spent[Math.floor(times / 2)]);
}

async function make(directory, wanted) {
    for (const pair of wanted) {
        const [file, format] = pair.split('=');
        fs.writeFileSync(path.join(directory, path.basename(file)), await thumbnail(fs.readFileSync(file), format));
    }
}

const [, , what, first, ...rest] = process.argv;
if (what === 'time') time(first, Number(rest[0]), rest[1]);
else make(first, rest);
