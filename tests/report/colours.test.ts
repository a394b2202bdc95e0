import { describe, expect, it } from 'vitest';
import { inkOn, luminance, recallColour, RECALL_STOPS, type Rgb } from '../../report/recallColours.js';

const RECALLS = Array.from({ length: 21 }, (_, at) => at / 20);

/**
 * Full dichromacy, in linear sRGB: G. M. Machado, M. M. Oliveira, L. A. F. Fernandes, IEEE Transactions on
 * Visualization and Computer Graphics 15 (2009) 1291-1298, table 1, severity 1.0.
 */
const DICHROMACY = {
  protanopia: [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
  deuteranopia: [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
  tritanopia: [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
} as const;

const linear = (channel: number): number => (channel / 255 <= 0.04045 ? channel / 255 / 12.92 : ((channel / 255 + 0.055) / 1.055) ** 2.4);

function seenLuminance({ red, green, blue }: Rgb, matrix: readonly (readonly [number, number, number])[]): number {
  const channels = matrix.map((row) => Math.min(1, Math.max(0, row[0] * linear(red) + row[1] * linear(green) + row[2] * linear(blue))));
  return [0.2126, 0.7152, 0.0722].reduce((sum, weight, at) => sum + weight * (channels[at] ?? 0), 0);
}

const rises = (values: readonly number[]): boolean => values.every((value, at) => at === 0 || value > (values[at - 1] ?? 0));

describe('the recall colours', () => {
  it('pass through their stops', () => {
    for (const { recall, colour } of RECALL_STOPS) expect(recallColour(recall)).toEqual(colour);
  });

  it('grow lighter with recall, so that they read in greyscale', () => {
    expect(rises(RECALLS.map((recall) => luminance(recallColour(recall))))).toBe(true);
  });

  it.each(Object.entries(DICHROMACY))('grow lighter under %s', (_name, matrix) => {
    const seen = RECALLS.map((recall) => seenLuminance(recallColour(recall), matrix));
    expect(rises(seen)).toBe(true);
    expect((seen.at(-1) ?? 0) - (seen[0] ?? 0)).toBeGreaterThan(0.4);
  });

  it('carry text with a contrast of at least 4.5', () => {
    const contrasts = RECALLS.map((recall) => {
      const background = recallColour(recall);
      const [light, dark] = [luminance(background), luminance(inkOn(background))].sort((a, b) => b - a);
      return ((light ?? 0) + 0.05) / ((dark ?? 0) + 0.05);
    });
    console.log(`smallest contrast: ${Math.min(...contrasts).toFixed(2)}`);
    expect(Math.min(...contrasts)).toBeGreaterThanOrEqual(4.5);
  });
});
