package main

import (
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/internal/simd"
)

func TestVersionTellsTheModuleGoThePlatformAndTheKernels(t *testing.T) {
	status, out, errs := demo(t.Context(), "version")
	require.Zero(t, status, errs)
	require.Regexp(t, `^plexaura \S+`, out)
	require.Contains(t, out, runtime.Version()+" "+runtime.GOOS+"/"+runtime.GOARCH)
	level, err := simd.Chosen()
	require.NoError(t, err)
	require.Contains(t, out, "kernels "+level.Level.String())
	require.Regexp(t, `kernels \S.*\n$`, out)
}

func TestVersionIsThatOfTheInstalledModuleOrOfTheClone(t *testing.T) {
	vcs := func(settings ...debug.BuildSetting) *debug.BuildInfo {
		return &debug.BuildInfo{Main: debug.Module{Version: "v0.0.0-2026"}, Settings: settings}
	}
	revision := debug.BuildSetting{Key: "vcs.revision", Value: "0123456789abcdef"}
	for want, info := range map[string]*debug.BuildInfo{
		"v0.0.0-2026":                               vcs(),
		release + "-devel":                          nil,
		release + "-devel (0123456789ab)":           vcs(revision),
		release + "-devel (0123456789ab, modified)": vcs(revision, debug.BuildSetting{Key: "vcs.modified", Value: "true"}),
	} {
		require.Equal(t, want, versionOf(info))
	}
}

// The release stands in one place; the changelog has a section of it.
func TestTheChangelogDescribesTheRelease(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "CHANGELOG.md"))
	require.NoError(t, err)
	m := regexp.MustCompile(`(?m)^## \[(\d+\.\d+\.\d+)\]`).FindSubmatch(text)
	require.NotNil(t, m)
	require.Equal(t, release, string(m[1]))
}

func TestHarmlessWordsAreNotQuoted(t *testing.T) {
	for s, want := range map[string]string{
		"runs/lenet": "runs/lenet", "a-b_c@1.5%+=:,": "a-b_c@1.5%+=:,", `C:\demo.exe`: `C:\demo.exe`, "Käfer٣": "Käfer٣",
		"": "''", "two words": "'two words'", "it's": `'it'\''s'`, "$HOME": "'$HOME'", "*": "'*'", "a\xff": shellWord("a\xff"),
	} {
		require.Equal(t, want, shellWord(s))
	}
	require.NotEqual(t, "a\xff", shellWord("a\xff"))
}

// go install of a command at a version refuses a module with replace or exclude directives.
func TestTheModuleCanBeInstalledFrom(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "go.mod"))
	require.NoError(t, err)
	require.Regexp(t, `(?m)^module github.com/plexaura/plexaura$`, string(text))
	require.NotRegexp(t, `(?m)^\s*(replace|exclude)\b`, string(text))
}
