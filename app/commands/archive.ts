// Files as one .tar.gz, the same bytes for the same files: sorted by name, no times, one owner. POSIX ustar (pax(1p)).
import { gzipSync } from 'node:zlib';

const BLOCK = 512;

/** By path; paths of at most 255 bytes, with a slash where longer than 100. Throws on others. */
export function archive(files: ReadonlyMap<string, string>): Buffer {
  const entries = [...files].sort(([a], [b]) => (a < b ? -1 : 1));
  const blocks = entries.flatMap(([path, text]) => {
    const content = Buffer.from(text);
    return [header(path, content.length), content, Buffer.alloc(padding(content.length))];
  });
  return gzipSync(Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)]), { level: 9 });
}

function padding(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}

function header(path: string, size: number): Buffer {
  const [prefix, name] = split(path);
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, digits: number): string => value.toString(8).padStart(digits, '0');
  block.write(name, 0);
  block.write(octal(0o644, 7), 100);
  block.write(octal(0, 7), 108);
  block.write(octal(0, 7), 116);
  block.write(octal(size, 11), 124);
  block.write(octal(0, 11), 136);
  block.write(' '.repeat(8), 148);
  block.write('0', 156);
  block.write('ustar\u000000', 257);
  block.write(prefix, 345);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${octal(sum, 6)}\u0000 `, 148);
  return block;
}

function split(path: string): readonly [string, string] {
  if (Buffer.byteLength(path) <= 100) return ['', path];
  for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) {
    const [prefix, name] = [path.slice(0, at), path.slice(at + 1)];
    if (Buffer.byteLength(prefix) <= 155 && Buffer.byteLength(name) <= 100) return [prefix, name];
  }
  throw new Error(`path too long for an archive: ${path}`);
}
