// As much of a NATS client as it takes to write what no part of the service writes.

import { connect } from 'node:net';

/** raw sends one line with its payload to a server that asks nobody, and gives the payload of the first answer, if one is awaited. */
function raw(address, lines, awaited) {
  const [host, port] = address.split(':');
  return new Promise((done, failed) => {
    let got = '';
    const socket = connect(Number(port), host, () => socket.write(`CONNECT {"verbose":false,"headers":true}\r\n${lines}PING\r\n`, 'latin1'));
    socket.setEncoding('latin1');
    socket.on('error', failed);
    socket.on('data', (text) => {
      got += text;
      const answer = /^MSG \S+ \d+ (\d+)\r\n/m.exec(got);
      if (/^-ERR/m.test(got)) failed(new Error(got));
      const from = answer && answer.index + answer[0].length;
      if (answer && got.length >= from + Number(answer[1])) done(got.slice(from, from + Number(answer[1])));
      else if (awaited || !/^PONG/m.test(got)) return;
      else done('');
      socket.end();
    });
  });
}

const size = (text) => Buffer.byteLength(text, 'latin1');

/** again writes the last message of a subject of the log once more, expecting nothing of what stands there. */
export async function again(address, subject) {
  const ask = JSON.stringify({ last_by_subj: subject });
  const { message, error } = JSON.parse(await raw(address, `SUB _INBOX.again 1\r\nPUB $JS.API.STREAM.MSG.GET.PILOTS _INBOX.again ${size(ask)}\r\n${ask}\r\n`, true));
  if (error) throw new Error(`${subject}: ${error.description}`);
  const head = Buffer.from(message.hdrs, 'base64').toString('latin1').split('\r\n').filter((line) => !/^Nats-(Msg-Id|Expected|Batch)/.test(line)).join('\r\n');
  const body = Buffer.from(message.data, 'base64').toString('latin1');
  const data = `HPUB ${message.subject} ${size(head)} ${size(head + body)}\r\n${head}${body}\r\n`;
  await raw(address, data, false);
}
