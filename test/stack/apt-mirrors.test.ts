import * as assert from 'uvu/assert';
import { debianMirrors, parseDeb822, parseSourcesList } from '../../stack/nats/apt-mirrors.ts';
import { parsePackageRecord } from '../../stack/nats/debian-source.ts';
import { suite } from '../harness/suite.ts';

const test = suite('stack apt mirrors');

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

test('the archive of a deb822 file is found, its security archive and other people’s are not', () => {
  const sources = parseDeb822(`Types: deb
# a comment between fields
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: ${KEYRING}

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main

Types: deb
URIs: https://vendor.example/node_20.x
Suites: nodistro
Components: main

Enabled: no
Types: deb
URIs: http://disabled.example/debian
Suites: bookworm
Components: main

Types: deb-src
URIs: http://source.example/debian
Suites: bookworm
Components: main
`);
  assert.equal(debianMirrors(sources, KEYRING), ['http://mirror.example/debian']);
});

test('one-line files are read with and without options, the archive with the keyring first', () => {
  const sources = parseSourcesList(`
# deb http://commented.example/debian bookworm main
deb cdrom:[Debian]/ bookworm main
deb https://vendor.example bookworm main
deb [arch=amd64 signed-by=${KEYRING}] http://mirror.example/debian bookworm main contrib # note
deb-src http://mirror.example/debian bookworm main
deb https://download.example/linux/debian bookworm stable
`);
  assert.equal(debianMirrors(sources, KEYRING), ['http://mirror.example/debian', 'https://vendor.example']);
});

test('values on continuation lines belong to their field', () => {
  const [first, second] = parseDeb822(
    'Types: deb\nURIs:\n http://a.example/debian\n http://b.example/debian\nSuites: trixie\nComponents: main\n',
  );
  assert.is(first?.uri, 'http://a.example/debian');
  assert.is(second?.uri, 'http://b.example/debian');
});

test('an Ubuntu machine has no Debian mirror', () => {
  assert.equal(debianMirrors(parseSourcesList('deb http://archive.example/ubuntu noble main universe'), KEYRING), []);
});

test('a record without its size or hash is no record', () => {
  const sha256 = 'a'.repeat(64);
  const text = `Package: nats-server\nVersion: 2.15.1-1\nSize: 5351944\nSHA256: ${sha256}\n\nPackage: nats-server\nVersion: 2.12.0-1\n`;
  assert.equal(parsePackageRecord(text), { version: '2.15.1-1', sizeBytes: 5351944, sha256 });
  assert.is(parsePackageRecord(text.replace('Size', 'Installed-Size')), undefined);
  assert.is(parsePackageRecord(text.replace(sha256, 'b'.repeat(63))), undefined);
});

test.run();
