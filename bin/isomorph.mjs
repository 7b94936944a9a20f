#!/usr/bin/env node
import { loadProgram } from './build/load.mjs';

// Warnings of Node (deprecations inside packages) are no business of who runs a command.
if (process.env.ISOMORPH_DEBUG !== '1') process.removeAllListeners('warning');
const { main } = await loadProgram('isomorph');
process.exitCode = await main(process.argv.slice(2));
