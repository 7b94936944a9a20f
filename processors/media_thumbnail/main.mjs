// The first file of the program, in plain JavaScript: sharp loads a native library from its own package, so that this
// processor cannot be bundled into one module. Node 22.18 strips types by itself; older ones need a loader for that.
if (!process.features.typescript) (await import('tsx/esm/api')).register();
await import('./processor.ts');
