/**
 * The device classes of a sweep and the dtype its cells are computed in.
 */
import { DEVICE_CLASSES, deviceClassOf, DTYPES_OF, type DeviceClass } from '../domain/device.js';
import type { ComputeDtype } from '../domain/engine.js';
import type { SweepSpec } from '../domain/spec.js';
import type { Findings } from './findings.js';
import type { Places } from './places.js';

/** The class that evaluates the cells. */
export const deviceClass = (spec: SweepSpec, at: Places, findings: Findings): DeviceClass | undefined => classNamed(spec.deviceClass, 'deviceClass', spec, at, findings);

/** One of the spec's own classes, or a built-in one. */
function classNamed(name: string, field: 'deviceClass' | 'largerDeviceClass', spec: SweepSpec, at: Places, findings: Findings): DeviceClass | undefined {
  const known = classesOf(spec);
  const found = known.find((one) => one.name === name);
  if (found === undefined) {
    findings.add('SPEC_INVALID', {
      where: at([field]),
      what: `${name} is not one of ${known.map((one) => one.name).join(', ')}`,
      mend: `Use one of them, or describe the class: deviceClasses: {${name}: {provider: cuda, memoryGiB: 80}}.`,
    });
  }
  return found;
}

/** The class that is asked for cells which do not fit `device`; null where the spec names none. Of one provider both compute in the same dtypes. */
export function largerDeviceClass(spec: SweepSpec, device: DeviceClass | undefined, at: Places, findings: Findings): DeviceClass | null {
  if (spec.largerDeviceClass === undefined) return null;
  const larger = classNamed(spec.largerDeviceClass, 'largerDeviceClass', spec, at, findings) ?? null;
  const where = at(['largerDeviceClass']);
  if (spec.mixFingerprints !== 'allow') {
    findings.add('SPEC_INVALID', {
      where,
      what: `another kind of node has another fingerprint, and mixFingerprints is ${spec.mixFingerprints}`,
      mend: 'Set mixFingerprints: allow: the cells that only the larger class holds are then measured there, and each row says where it was measured.',
    });
  }
  if (device === undefined || larger === null) return larger;
  if (larger.name === device.name) {
    findings.add('SPEC_INVALID', { where, what: `${larger.name} is the device class itself`, mend: 'Name a class with more memory, or leave largerDeviceClass out.' });
    return larger;
  }
  if (larger.provider !== device.provider) {
    findings.add('SPEC_INVALID', {
      where,
      what: `${larger.name} computes on ${larger.provider}, ${device.name} on ${device.provider}: numbers of one sweep are computed alike`,
      mend: `Name a class of provider ${device.provider}.`,
    });
  }
  if (larger.memoryBytes !== null && device.memoryBytes !== null && larger.memoryBytes <= device.memoryBytes) {
    findings.add('SPEC_INVALID', {
      where,
      what: `${larger.name} has ${gib(larger.memoryBytes)} GiB, ${device.name} has ${gib(device.memoryBytes)} GiB`,
      mend: 'Name a class with more memory.',
    });
  }
  return larger;
}

const gib = (bytes: number): string => String(Math.round((bytes / 2 ** 30) * 1000) / 1000);

/** Classes that a plan can be made for: the spec's own stand before built-in ones of their name. */
export function classesOf(spec: SweepSpec): DeviceClass[] {
  const own = Object.entries(spec.deviceClasses).map(([name, described]) => deviceClassOf(name, described));
  return [...own, ...DEVICE_CLASSES.filter(({ name }) => !own.some((one) => one.name === name))];
}

/** The compute dtype of the sweep's class. */
export function computeDtype(spec: SweepSpec, device: DeviceClass, weightFormat: string, at: Places, findings: Findings): ComputeDtype | undefined {
  const dtype = dtypeOn(device, spec.dtype, weightFormat);
  if (dtype === null) {
    findings.add('SPEC_INVALID', {
      where: at(['dtype']),
      what: `${device.name} computes in ${DTYPES_OF[device.provider].join(' or ')}, not in ${spec.dtype}`,
      mend: 'Leave dtype out, or use another device class.',
    });
  }
  return dtype ?? undefined;
}

/**
 * As the spec says, null where the device cannot; or by the weights: on a GPU half-precision weights are computed as they
 * are, float32 in float32, and quantised ones, which are dequantised, in float16.
 */
export function dtypeOn({ provider }: DeviceClass, wanted: SweepSpec['dtype'], weightFormat: string): ComputeDtype | null {
  const possible = DTYPES_OF[provider];
  if (wanted !== 'auto') return possible.includes(wanted) ? wanted : null;
  return possible.find((dtype) => dtype === weightFormat) ?? possible[0] ?? null;
}
