// Package faultfs gives tests a directory whose file system fails when it is told to: by
// an error of the device, a spent quota, or whatever else a write may end with.
package faultfs

import (
	"context"
	"os"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// FS is a file system that can be made to fail. All methods may be called at the same
// time.
type FS struct {
	Dir   string // where it is
	fault atomic.Uintptr
}

// Mount gives a file system for the length of a test, which is skipped where none can be
// mounted. It must be used by other processes than the test itself: a process that waits
// for its own answer in a system call may wait for ever.
func Mount(t testing.TB) *FS {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root mounts a file system that fails when it is told to")
	}
	f := &FS{Dir: t.TempDir()}
	root := &fs.LoopbackRoot{Path: t.TempDir()}
	root.RootNode = &node{&fs.LoopbackNode{RootData: root}, f}
	server, err := fs.Mount(f.Dir, root.RootNode, &fs.Options{MountOptions: fuse.MountOptions{
		DirectMountStrict: true, AllowOther: true, FsName: "faultfs", Name: "faultfs",
	}})
	if err != nil {
		t.Skipf("no file system that fails when it is told to can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		_ = syscall.Unmount(f.Dir, syscall.MNT_FORCE|syscall.MNT_DETACH) // also where something holds a file open
		server.Wait()
	})
	return f
}

// Break has whatever would change the file system end with an error, until Mend is called.
func (f *FS) Break(with syscall.Errno) { f.fault.Store(uintptr(with)) }

// Mend ends what Break began.
func (f *FS) Mend() { f.fault.Store(0) }

func (f *FS) broken() syscall.Errno { return syscall.Errno(f.fault.Load()) }

// node is a file or a directory.
type node struct {
	*fs.LoopbackNode
	of *FS
}

// WrapChild is called for each node that the loopback makes below this one.
func (n *node) WrapChild(_ context.Context, child fs.InodeEmbedder) fs.InodeEmbedder {
	if plain, ok := child.(*fs.LoopbackNode); ok {
		return &node{plain, n.of}
	}
	return child
}

func (n *node) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	if errno := n.of.broken(); errno != 0 {
		return nil, nil, 0, errno
	}
	inode, h, kept, errno := n.LoopbackNode.Create(ctx, name, flags, mode, out)
	return inode, n.of.file(h), kept, errno
}

func (n *node) Open(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	h, kept, errno := n.LoopbackNode.Open(ctx, flags)
	return n.of.file(h), kept, errno
}

func (n *node) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	if errno := n.of.broken(); errno != 0 {
		return nil, errno
	}
	return n.LoopbackNode.Mkdir(ctx, name, mode, out)
}

func (n *node) Rename(ctx context.Context, name string, to fs.InodeEmbedder, as string, flags uint32) syscall.Errno {
	if errno := n.of.broken(); errno != 0 {
		return errno
	}
	return n.LoopbackNode.Rename(ctx, name, to, as, flags)
}

func (n *node) Setattr(ctx context.Context, h fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	if errno := n.of.broken(); errno != 0 {
		return errno
	}
	return n.LoopbackNode.Setattr(ctx, h, in, out)
}

// file is an open file.
type file struct {
	*fs.LoopbackFile
	of *FS
}

func (f *FS) file(h fs.FileHandle) fs.FileHandle {
	if inner, ok := h.(*fs.LoopbackFile); ok {
		return &file{inner, f}
	}
	return h
}

func (f *file) Write(ctx context.Context, data []byte, at int64) (uint32, syscall.Errno) {
	if errno := f.of.broken(); errno != 0 {
		return 0, errno
	}
	return f.LoopbackFile.Write(ctx, data, at)
}

func (f *file) Writev(ctx context.Context, data [][]byte, at int64) (uint32, syscall.Errno) {
	if errno := f.of.broken(); errno != 0 {
		return 0, errno
	}
	return f.LoopbackFile.Writev(ctx, data, at)
}

func (f *file) Fsync(ctx context.Context, flags uint32) syscall.Errno {
	if errno := f.of.broken(); errno != 0 {
		return errno
	}
	return f.LoopbackFile.Fsync(ctx, flags)
}

func (f *file) Allocate(ctx context.Context, at, size uint64, mode uint32) syscall.Errno {
	if errno := f.of.broken(); errno != 0 {
		return errno
	}
	return f.LoopbackFile.Allocate(ctx, at, size, mode)
}

// PassthroughFd keeps the kernel from writing without us.
func (f *file) PassthroughFd() (int, bool) { return 0, false }
