package launcher_test

import (
	"log"
	"os"

	"github.com/plexaura/plexaura/dist/launcher"
)

// A process of a launcher says which one it is.
func ExampleDetect() {
	p := launcher.Detect(os.Getenv)
	if p.Several() {
		log.Printf("rank %d of %d, started by %s", p.Rank, p.Size, p.Launcher)
	}
}
