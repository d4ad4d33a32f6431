// The platforms that have a binary, and the packages they are published in: packages/native/npm/<name>.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const npmFolder = fileURLToPath(new URL('../npm/', import.meta.url));
const native = fileURLToPath(new URL('../package.json', import.meta.url));

/** Undefined on a platform for which no binary is built. */
export function currentPlatform() {
  const { platform, arch } = process;
  if (platform === 'darwin') return `darwin-${arch}`;
  if (platform !== 'linux') return undefined;
  const isGnu = process.report.getReport().header.glibcVersionRuntime !== undefined;
  return `linux-${arch}-${isGnu ? 'gnu' : 'musl'}`;
}

/** The names of the platforms whose binaries are here. */
export function builtPlatforms() {
  if (!existsSync(npmFolder)) return [];
  return readdirSync(npmFolder).filter(name => existsSync(`${npmFolder}${name}/fan-out.node`));
}

/** Writes the package.json of a platform's package. Returns its name and version. */
export function writeManifest(platform) {
  const { version, license, repository, engines, publishConfig } = JSON.parse(readFileSync(native, 'utf8'));
  const [os, cpu, libc] = platform.split('-');
  const manifest = {
    name: `@tidings/native-${platform}`,
    version,
    description: `The binary of @tidings/native for ${platform}.`,
    license,
    repository,
    engines,
    os: [os],
    cpu: [cpu],
    libc: libc && [libc === 'gnu' ? 'glibc' : libc],
    main: 'fan-out.node',
    files: ['fan-out.node'],
    publishConfig: { access: publishConfig.access },
  };
  writeFileSync(`${npmFolder}${platform}/package.json`, `${JSON.stringify(manifest, null, 2)}\n`);
  return { name: manifest.name, version };
}

/** Makes the packages of these platforms optional dependencies, in the package.json that is published. */
export function addOptionalDependencies(packages) {
  const manifest = JSON.parse(readFileSync(native, 'utf8'));
  manifest.optionalDependencies = Object.fromEntries(packages.map(({ name, version }) => [name, version]));
  writeFileSync(native, `${JSON.stringify(manifest, null, 2)}\n`);
}
