// SPDX-License-Identifier: Apache-2.0

/**
 * Preloaded into every process the demo starts: when the demo is gone, however it went, its end of the IPC channel
 * closes and the child leaves at once. So not even a killed demo leaves anything running.
 */

process.once('disconnect', () => process.exit(1));
