#!/usr/bin/env node
import { register } from 'tsx/esm/api';

// Warnings of Node (deprecations inside packages) are no business of who runs a command.
if (process.env.ISOMORPH_DEBUG !== '1') process.removeAllListeners('warning');
register();
const { main } = await import('../cli/main.ts');
process.exitCode = await main(process.argv.slice(2));
