package mpi

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/plexaura/plexaura/dist/launcher"
)

// Names of libraries in the order in which they are tried.
var (
	standardNames = []string{"libmpi_abi.so.1", "libmpi_abi.so.0", "libmpi_abi.so"}
	openNames     = []string{"libmpi.so.40"}
	mpichNames    = []string{"libmpi.so.12", "libmpich.so.12"}
)

// libraryNames are the libraries that may belong to the launcher of a process, the likeliest first.
func libraryNames(p launcher.Process) []string {
	var all []string
	if p.PMIx {
		all = append(append(append(all, openNames...), standardNames...), mpichNames...)
	} else {
		all = append(append(append(all, standardNames...), mpichNames...), openNames...)
	}
	return append(all, "libmpi.so")
}

// programs are the names of launchers, and of what they leave running on each machine.
var programs = []string{"mpiexec", "mpirun", "hydra_pmi_proxy", "hydra_bstrap_proxy", "prterun", "prte", "prted", "orterun", "orted"}

// isLauncher reports whether a file is a launcher, by its name: "mpiexec.hydra" is one.
func isLauncher(file string) bool {
	base := filepath.Base(file)
	for _, p := range programs {
		if base == p || strings.HasPrefix(base, p+".") {
			return true
		}
	}
	return false
}

// ancestors returns the programs that this process descends from, the nearest first, as far as
// the system tells.
func ancestors() (files []string) {
	const most = 16
	pid := os.Getppid()
	for range most {
		if pid <= 1 {
			break
		}
		if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); err == nil {
			files = append(files, exe)
		}
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			break
		}
		pid = parent(string(stat))
	}
	return files
}

// parent returns the parent's number in the text of /proc/PID/stat, in which the program's name stands
// in parentheses and may hold anything; 0 if it is not there.
func parent(stat string) int {
	end := strings.LastIndexByte(stat, ')')
	fields := strings.Fields(stat[end+1:])
	if end < 0 || len(fields) < 2 {
		return 0
	}
	pid, _ := strconv.Atoi(fields[1])
	return pid
}

// libDirs are the folders of libraries beside the folder of a launcher, bin.
func libDirs(program string) []string {
	prefix := filepath.Dir(filepath.Dir(program))
	return []string{
		filepath.Join(prefix, "lib"),
		filepath.Join(prefix, "lib64"),
		filepath.Join(prefix, "lib", "openmpi", "lib"),
		filepath.Join(prefix, "lib", "mpich", "lib"),
	}
}

// isSystem reports whether a folder is one that the loader searches anyway, in which the library of
// another launcher may lie as well.
func isSystem(dir string) bool {
	return dir == "/lib" || dir == "/lib64" || dir == "/usr/lib" || dir == "/usr/lib64"
}

// beside returns the libraries of these names that are there beside the launchers among programs.
func beside(files []string, names []string) (found []string) {
	for _, f := range files {
		if !isLauncher(f) {
			continue
		}
		for _, dir := range libDirs(f) {
			if isSystem(dir) {
				continue
			}
			for _, name := range names {
				path := filepath.Join(dir, name)
				if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
					found = append(found, path)
				}
			}
		}
	}
	return found
}

// candidates are the libraries to try for a process, in this order.
func candidates(p launcher.Process) []string {
	names := libraryNames(p)
	all := beside(ancestors(), names)
	all = append(all, names...) // as the loader finds them
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		program := filepath.Join(dir, "mpiexec")
		if real, err := filepath.EvalSymlinks(program); err == nil {
			all = append(all, beside([]string{program, real}, names)...)
		}
	}
	return all
}
