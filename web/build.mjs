// Builds dist/: graphiql.html, graphiql.js, graphiql.css and LICENSES.txt.
// The output depends only on src/, this file and package-lock.json.
import { build } from 'esbuild';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(fileURLToPath(import.meta.url));
const dist = join(root, 'dist');
const read = (...path) => readFileSync(join(root, ...path), 'utf8');

function replace(text, pattern, replacement, what) {
  const result = text.replace(pattern, replacement);
  if (result === text) throw new Error(`${what}: nothing to replace, check build.mjs against this GraphiQL`);
  return result;
}

// GraphiQL's stylesheet carries about 370 kB of embedded fonts; use the reader's own.
const systemFonts = {
  name: 'system-fonts',
  setup({ onLoad }) {
    onLoad({ filter: /graphiql[\\/]dist[\\/]style\.css$/ }, ({ path }) => {
      let css = readFileSync(path, 'utf8');
      css = replace(css, /@font-face\s*\{[^}]*\}/g, '', '@font-face');
      css = replace(css, '"Roboto", sans-serif', 'system-ui, sans-serif', '--font-family');
      css = replace(css, '"Fira Code", monospace', 'ui-monospace, Menlo, Consolas, monospace', '--font-family-mono');
      return { contents: css, loader: 'css' };
    });
  },
};

rmSync(dist, { recursive: true, force: true });
mkdirSync(dist);

const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: { graphiql: 'src/main.jsx' },
  outdir: 'dist',
  bundle: true,
  minify: true,
  format: 'iife',
  target: 'es2022',
  charset: 'ascii',
  jsx: 'automatic',
  legalComments: 'none', // all notices are in LICENSES.txt
  define: { 'process.env.NODE_ENV': '"production"' },
  // The combobox is all GraphiQL uses of Headless UI, whose index cannot be tree-shaken (-90 kB).
  alias: { '@headlessui/react': './node_modules/@headlessui/react/dist/components/combobox/combobox.js' },
  external: ['graphql-ws'], // only loaded when a subscription URL is set
  plugins: [systemFonts],
  metafile: true,
  logLevel: 'warning',
});

writeFileSync(join(dist, 'graphiql.html'), read('src', 'index.html').replace(/\n\s*/g, '') + '\n');
writeFileSync(join(dist, 'LICENSES.txt'), licenses());

for (const name of readdirSync(dist).sort()) {
  console.log(String(statSync(join(dist, name)).size).padStart(9), name);
}

function licenses() {
  const directories = new Set();
  for (const output of Object.values(metafile.outputs)) {
    for (const [input, { bytesInOutput }] of Object.entries(output.inputs)) {
      const match = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input);
      if (match && bytesInOutput > 0) directories.add(match[1]);
    }
  }

  const packages = [...directories].map((directory) => {
    const manifest = JSON.parse(read(directory, 'package.json'));
    const repository = manifest.repository?.url ?? manifest.repository ?? '';
    const author = manifest.author?.name ?? manifest.author ?? '';
    const file = readdirSync(join(root, directory)).sort().find((name) => /^licen[cs]e/i.test(name));
    const notice = readdirSync(join(root, directory)).sort().find((name) => /^notice/i.test(name));
    return {
      title: `${manifest.name} ${manifest.version}`,
      license: manifest.license,
      repository: repository
        .replace(/^git\+|\.git$/g, '')
        .replace(/^http:/, 'https:')
        .replace('github.com/facebook/react', 'github.com/react/react'), // moved
      author: author.replace(/\s*[<(].*$/, ''),
      text: [file, notice].filter(Boolean).map((name) => tidy(read(directory, name))).join('\n\n'),
    };
  });
  packages.sort((a, b) => (a.title < b.title ? -1 : 1));

  const mit = packages.find(({ title }) => title.startsWith('graphiql ')).text.replace(/^[\s\S]*?(?=Permission is)/, '');
  const groups = new Map();
  for (const entry of packages) {
    if (!entry.license) throw new Error(`${entry.title}: no licence named`);
    let { text } = entry;
    // Some packages ship no licence file: take the one of a package from the same repository,
    // else the text of the licence they name with the author they name.
    text ||= packages.find((other) => other.text && other.repository === entry.repository && other.license === entry.license)?.text;
    if (!text && entry.license === 'MIT' && entry.author) {
      text = `(The package holds no licence file; its manifest names MIT and the author ${entry.author}.)\n\n${mit}`;
    }
    if (!text) throw new Error(`${entry.title}: no licence text found`);
    if (!groups.has(text)) groups.set(text, []);
    groups.get(text).push(`${entry.title} (${entry.license})`);
  }

  const rule = '='.repeat(78);
  return [
    'graphiql.js and graphiql.css contain code from the packages below, each under\nthe licence that follows its name.',
    ...[...groups].map(([text, titles]) => `${rule}\n${titles.join('\n')}\n${rule}\n\n${text}`),
  ].join('\n\n') + '\n';
}

function tidy(text) {
  return text.replace(/^\uFEFF/, '').replace(/\r\n?/g, '\n').replace(/[ \t]+$/gm, '').trim();
}
