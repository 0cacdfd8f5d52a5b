// SPDX-License-Identifier: Apache-2.0
//
// Stops with one plain line when the Node that runs the project's scripts is too old, where that Node would otherwise
// fail with a syntax or option error that names no cause. Runs alone, or first in a process (`node --require`).
// Written in ES5, so that the oldest Node can read it.
'use strict';

var needed = [22, 19];
var found = process.versions.node.split('.').map(Number);

if (found[0] < needed[0] || (found[0] === needed[0] && found[1] < needed[1])) {
  console.error(
    'Fairlead needs Node ' +
      needed.join('.') +
      ' or newer; this is Node ' +
      process.versions.node +
      ' (' +
      process.platform +
      ' ' +
      process.arch +
      '). On Linux x64 and arm64 `npm ci` brings the right one; elsewhere install it first.',
  );
  process.exit(1);
}
