/** Needle: recall and entropy of every arm of a sweep. */
import { dashboard, type ClassicDashboard } from './dashboard.js';
import { needleDifference } from './needleDifference.js';
import { needleHeatmap } from './needleHeatmap.js';
import { needleReach } from './needleReach.js';
import { armsVariable, oneArmVariable, sweepVariable, taskVariable } from './variables.js';

export const needleDashboard = (): ClassicDashboard =>
  dashboard({
    uid: 'ropesweep-needle',
    title: 'needle in a haystack',
    description: 'Where each arm retrieves the needle, and how spread its attention is there.',
    variables: [
      sweepVariable(),
      taskVariable('needle'),
      armsVariable(),
      oneArmVariable('arm_a', 'Compare', 'The first arm of the comparison.'),
      oneArmVariable('arm_b', 'with', 'The second arm of the comparison.', 'last'),
    ],
    panels: [needleReach(2), needleHeatmap(3), needleDifference(4)],
  });
