import { artifactStoreConformance } from './conformance.ts';
import { makeFileStore } from './file-store.ts';

artifactStoreConformance('file', makeFileStore, {
  pathUnderArtifact: false,
  uploadLimitInUrl: true,
  uploadOnce: false,
  presignTtlSMax: 7 * 86_400,
});
