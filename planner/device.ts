/**
 * The device class of a sweep and the dtype its cells are computed in.
 */
import { DEVICE_CLASSES, deviceClassOf, DTYPES_OF, type DeviceClass } from '../domain/device.js';
import type { ComputeDtype } from '../domain/engine.js';
import type { SweepSpec } from '../domain/spec.js';
import type { Findings } from './findings.js';
import type { Places } from './places.js';

/** The class by name: one of the spec's own, or a built-in one. */
export function deviceClass(spec: SweepSpec, at: Places, findings: Findings): DeviceClass | undefined {
  const known = classesOf(spec);
  const found = known.find(({ name }) => name === spec.deviceClass);
  if (found === undefined) {
    findings.add('SPEC_INVALID', {
      where: at(['deviceClass']),
      what: `${spec.deviceClass} is not one of ${known.map(({ name }) => name).join(', ')}`,
      mend: `Use one of them, or describe the class: deviceClasses: {${spec.deviceClass}: {provider: cuda, memoryGiB: 80}}.`,
    });
  }
  return found;
}

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
