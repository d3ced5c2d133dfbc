// Package launcher reads what launchers such as mpiexec and srun tell the processes that they start:
// who started a process, which rank it has, and among how many.
//
//	p := launcher.Detect(os.Getenv)
//	if p.Several() {
//		log.Printf("rank %d of %d, started by %s", p.Rank, p.Size, p.Launcher)
//	}
//
// There is one table of their variables, in launcher.go, with its sources.
//
// Knows only strings. Never imports anything of ours.
package launcher
