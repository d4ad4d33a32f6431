// For the release workflow: publishes the packages of all platforms whose binaries are in packages/native/npm, and makes
// them optional dependencies of @tidings/native, which is published after that.
import { execFileSync, spawnSync } from 'node:child_process';
import { addOptionalDependencies, builtPlatforms, npmFolder, writeManifest } from './platforms.mjs';

const packages = builtPlatforms().map(platform => ({ platform, ...writeManifest(platform) }));
for (const { platform, name, version } of packages) {
  // Published already, when an earlier attempt failed halfway.
  const isPublished =
    spawnSync('npm', ['view', `${name}@${version}`, 'version'], { encoding: 'utf8' }).stdout !== '';
  if (!isPublished) execFileSync('npm', ['publish'], { cwd: npmFolder + platform, stdio: 'inherit' });
}
addOptionalDependencies(packages);
