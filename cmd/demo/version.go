package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/plexaura/plexaura/internal/simd"
)

// release is the version that CHANGELOG.md describes. It is told where the build does not know one.
const release = "0.1.0"

// version prints what a report of a bug begins with.
func version(_ context.Context, c *call) error {
	if err := c.parse(false); err != nil {
		return err
	}
	kernels, err := simd.Chosen()
	if err != nil {
		return err
	}
	info, _ := debug.ReadBuildInfo()
	_, err = fmt.Fprintf(c.stdout, "plexaura %s\n%s %s/%s, %d processors, kernels %v\n",
		versionOf(info), runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), kernels.Level)
	return err
}

// versionOf is the version of the module by which the program was installed or, of a program built
// in a clone, the release that it leads to and its commit.
func versionOf(info *debug.BuildInfo) string {
	if info == nil {
		return release + "-devel"
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	revision := settings["vcs.revision"]
	if revision == "" && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	v := release + "-devel"
	if revision != "" {
		v += " (" + revision[:min(12, len(revision))]
		if settings["vcs.modified"] == "true" {
			v += ", modified"
		}
		v += ")"
	}
	return v
}
