// One pod of the guard's tests: a process in a network namespace that answers and asks over UDP and TCP, told by messages.
// The network around it: guard-network.ts.
import { createSocket, type Socket } from 'node:dgram';
import { connect, createServer } from 'node:net';

/** What a pod is told, each with the number of its answer. */
export type PodOrder =
  | {
      readonly kind: 'listen';
      readonly protocol: 'udp' | 'tcp';
      readonly address: string;
      readonly port: number;
    }
  | { readonly kind: 'received'; readonly port: number }
  | ({ readonly kind: 'send' } & Sending)
  | ({ readonly kind: 'connect' } & Sending)
  | ({ readonly kind: 'flood' } & Sending)
  | { readonly kind: 'endFlood' };

/** `count` datagrams of `sizeBytes`, or one TCP connection; waits for that many answers, `waitMs` at most. */
export interface Sending {
  readonly address: string;
  readonly port: number;
  readonly fromPort?: number;
  readonly count?: number;
  readonly sizeBytes?: number;
  readonly waitMs?: number;
}

/** `error`: the code with which the socket failed, ECONNREFUSED when a port unreachable came back. */
export interface PodAnswer {
  readonly packets: number;
  readonly error?: string;
}

let endFlood = (): void => undefined;
const received = new Map<number, number>();

process.on('message', (message: { readonly id: number; readonly order: PodOrder }) => {
  void obey(message.order).then((answer) => process.send?.({ id: message.id, answer }));
});
process.on('disconnect', () => process.exit());
process.send?.({ id: 0, answer: { packets: 0 } });

function obey(order: PodOrder): Promise<PodAnswer> {
  switch (order.kind) {
    case 'listen':
      return order.protocol === 'udp'
        ? listenUdp(order.address, order.port)
        : listenTcp(order.address, order.port);
    case 'received':
      return Promise.resolve({ packets: received.get(order.port) ?? 0 });
    case 'send':
      return send(order);
    case 'connect':
      return connectTcp(order);
    case 'flood':
      return startFlood(order);
    case 'endFlood':
      endFlood();
      return Promise.resolve({ packets: 0 });
  }
}

function listenUdp(address: string, port: number): Promise<PodAnswer> {
  const socket = udpSocket(address);
  socket.on('message', (data, from) => {
    received.set(port, (received.get(port) ?? 0) + 1);
    socket.send(data, from.port, from.address);
  });
  return new Promise((resolve) => socket.bind(port, address, () => resolve({ packets: 0 })));
}

function listenTcp(address: string, port: number): Promise<PodAnswer> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  return new Promise((resolve) => server.listen(port, address, () => resolve({ packets: 0 })));
}

function send({
  address,
  port,
  fromPort = 0,
  count = 1,
  sizeBytes = 20,
  waitMs = 300,
}: Sending): Promise<PodAnswer> {
  const socket = udpSocket(address);
  let packets = 0;
  return new Promise((resolve) => {
    const end = (error?: Error): void => {
      clearTimeout(timer);
      socket.removeAllListeners();
      socket.on('error', () => undefined);
      socket.close();
      const code = (error as NodeJS.ErrnoException | undefined)?.code;
      resolve(code === undefined ? { packets } : { packets, error: code });
    };
    const timer = setTimeout(() => end(), waitMs);
    socket.on('error', end);
    socket.on('message', () => {
      packets += 1;
      if (packets === count) end();
    });
    socket.bind(fromPort, () =>
      socket.connect(port, address, () => {
        for (let i = 0; i < count; i += 1) socket.send(Buffer.alloc(sizeBytes, 'p'));
      }),
    );
  });
}

/** Sends without a pause until told to end; answers when it has begun. */
function startFlood({ address, port }: Sending): Promise<PodAnswer> {
  const socket = udpSocket(address);
  let isEnding = false;
  endFlood = () => {
    isEnding = true;
  };
  const next = (): void => {
    if (isEnding) socket.close();
    else socket.send('p', () => setImmediate(next));
  };
  socket.on('error', () => undefined);
  return new Promise((resolve) =>
    socket.connect(port, address, () => {
      next();
      resolve({ packets: 0 });
    }),
  );
}

function connectTcp({ address, port, waitMs = 300 }: Sending): Promise<PodAnswer> {
  const socket = connect({ host: address, port });
  return new Promise((resolve) => {
    const end = (answer: PodAnswer): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => end({ packets: 0 }), waitMs);
    socket.on('error', (error: NodeJS.ErrnoException) => end({ packets: 0, error: error.code ?? 'unknown' }));
    socket.on('data', () => end({ packets: 1 }));
    socket.on('connect', () => socket.write('p'));
  });
}

function udpSocket(address: string): Socket {
  return createSocket(address.includes(':') ? { type: 'udp6' } : { type: 'udp4' });
}
