import { expect, test } from 'vitest';
import { fileSystemOf, parseMountOutput, parseProcMounts } from '../../infra/embedded/homeFolder.js';

test('the file system of a path is that of its deepest mount, on Linux and on macOS', () => {
  const linux = parseProcMounts(
    ['/dev/vda / ext4 rw 0 0', 'server:/home /home nfs4 rw 0 0', '/dev/vdb /home/me/local\\040disk ext4 rw 0 0', 'me@host: /mnt/far fuse.sshfs rw 0 0', ''].join('\n'),
  );
  expect(fileSystemOf('/home/me/clone', linux)).toBe('nfs4');
  expect(fileSystemOf('/home/me/local disk/clone', linux)).toBe('ext4');
  expect(fileSystemOf('/homework', linux)).toBe('ext4');
  expect(fileSystemOf('/mnt/far', linux)).toBe('fuse.sshfs');
  const mac = parseMountOutput('/dev/disk3s1 on / (apfs, sealed, local)\n//me@host/share on /Volumes/share (smbfs, nodev, nosuid)\n');
  expect(fileSystemOf('/Volumes/share/x', mac)).toBe('smbfs');
  expect(fileSystemOf('/Users/me', mac)).toBe('apfs');
});
