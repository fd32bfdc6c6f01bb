// Makes dist/ipsec-policy-operator.mjs: our program and all it needs in one file, the same bytes for the same input. The metafile
// beside it says which packages are really in it.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import { load } from 'js-yaml';

const root = join(import.meta.dirname, '..');
const outfile = join(root, 'dist/ipsec-policy-operator.mjs');

const metadata = load(await readFile(join(root, 'metadata.yaml'), 'utf8')) as {
  readonly app_version: string;
};

await mkdir(join(root, 'dist'), { recursive: true });
const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: ['app/bin/main.ts'],
  outfile,
  bundle: true,
  platform: 'node',
  target: 'node24',
  format: 'esm',
  // Names stay: stack traces can be read, and the process is 7 MB smaller than with short names and a table of the long ones.
  minifyWhitespace: true,
  minifySyntax: true,
  // A stack trace prints the whole line it points at.
  lineLimit: 200,
  metafile: true,
  legalComments: 'none',
  define: { OPERATOR_VERSION: JSON.stringify(metadata.app_version) },
  logLevel: 'warning',
  // Before all else flags of V8 (read whenever it decides, so that they count at once), then what CommonJS packages ask for
  // in an ES module: `require`, `__filename` and `__dirname`.
  banner: {
    js: [
      "import{setFlagsFromString as setFlagOfV8}from'node:v8';",
      // The HTTP parser of undici is WebAssembly: to optimize it takes 24 MB for a moment, of which 15 MB stay.
      "setFlagOfV8('--no-wasm-dynamic-tiering');setFlagOfV8('--no-wasm-tier-up');",
      // Else the young generation grows to 2 x 16 MB, by the start alone.
      "setFlagOfV8('--semi-space-growth-factor=1');",
      "import{createRequire as createRequireOfBundle}from'node:module';",
      "import{fileURLToPath as pathOfBundle}from'node:url';import{dirname as dirnameOfBundle}from'node:path';",
      'const require=createRequireOfBundle(import.meta.url),__filename=pathOfBundle(import.meta.url),',
      '__dirname=dirnameOfBundle(__filename);',
    ].join(''),
  },
});
await writeFile(`${outfile}.meta.json`, JSON.stringify(metafile));
const bytes = metafile.outputs['dist/ipsec-policy-operator.mjs']?.bytes ?? 0;
process.stderr.write(`bundle: dist/ipsec-policy-operator.mjs, ${(bytes / 1e6).toFixed(1)} MB\n`);
