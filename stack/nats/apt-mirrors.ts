/** Reads which Debian mirrors apt is configured with. Pure: takes the texts of its files, gives the mirrors. */

export interface AptSource {
  readonly uri: string;
  readonly suite: string;
  readonly components: readonly string[];
  readonly signedBy: string | undefined;
}

/** Suites that a Debian archive itself has: third-party archives mostly have others. */
const DEBIAN_SUITES = new Set(
  [
    'oldoldstable',
    'oldstable',
    'stable',
    'testing',
    'unstable',
    'sid',
    'bullseye',
    'bookworm',
    'trixie',
    'forky',
  ].concat(['duke']),
);

/** One-line format: `deb [arch=amd64 signed-by=/path] uri suite component…`. */
export function parseSourcesList(text: string): AptSource[] {
  return text.split('\n').flatMap((line) => {
    const [, options = '', uri, suite, components = ''] =
      /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)([^#]*)/.exec(line) ?? [];
    if (uri === undefined || suite === undefined) return [];
    const signedBy = /(?:^|\s)signed-by=(\S+)/i.exec(options)?.[1];
    return [{ uri, suite, components: words(components), signedBy }];
  });
}

/** deb822 format: paragraphs of `Types:`, `URIs:`, `Suites:`, `Components:`, `Signed-By:`, `Enabled:`. */
export function parseDeb822(text: string): AptSource[] {
  const withoutComments = text.replace(/^#.*\n?/gm, '');
  return withoutComments.split(/\n\s*\n/).flatMap((paragraph) => {
    const fields = deb822Fields(paragraph);
    if (!words(fields.get('types')).includes('deb') || /^(no|false|off|0)$/i.test(fields.get('enabled') ?? ''))
      return [];
    const components = words(fields.get('components'));
    const signedBy = fields.get('signed-by');
    return words(fields.get('uris')).flatMap((uri) =>
      words(fields.get('suites')).map((suite) => ({ uri, suite, components, signedBy })),
    );
  });
}

function deb822Fields(paragraph: string): Map<string, string> {
  const fields = new Map<string, string>();
  const unfolded = paragraph.replace(/\n[ \t]+/g, ' ');
  for (const line of unfolded.split('\n')) {
    const [, name, value] = /^([A-Za-z0-9-]+):\s*(.*)$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) fields.set(name.toLowerCase(), value.trim());
  }
  return fields;
}

const words = (text: string | undefined): string[] => (text ?? '').split(/\s+/).filter((word) => word !== '');

/**
 * The URIs that may be a full Debian archive, the likeliest first. A wrong guess costs time, never safety: what such an
 * archive serves must still be signed by a key of Debian's own keyring.
 */
export function debianMirrors(sources: readonly AptSource[], keyring: string): string[] {
  const score = ({ uri, signedBy }: AptSource): number =>
    (signedBy?.includes(keyring) ? 2 : 0) + (/\/debian\/?$|debian\.list$/.test(uri) ? 1 : 0);
  const candidates = sources
    .filter(
      ({ suite, components }) =>
        DEBIAN_SUITES.has(suite.replace(/-(updates|backports)$/, '')) && components.includes('main'),
    )
    .filter(({ uri }) => !uri.startsWith('cdrom:') && !/\/debian-security\/?$/.test(uri))
    .sort((a, b) => score(b) - score(a));
  return [...new Set(candidates.map(({ uri }) => uri))];
}
