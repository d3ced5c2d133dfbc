package onnx_test

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/engine/cpu"
	"github.com/plexaura/plexaura/internal/python"
	"github.com/plexaura/plexaura/interop/onnx"
	"github.com/plexaura/plexaura/interop/onnx/ir"
	"github.com/plexaura/plexaura/vm"
)

// networksFolder has the packages that .ci/networks unpacks, with networks that people use.
func networksFolder(t *testing.T) string {
	cache, err := os.UserCacheDir()
	require.NoError(t, err)
	dir := cmp.Or(os.Getenv("PLEXAURA_NETWORKS"), filepath.Join(cache, "plexaura", "networks"))
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("%s has no networks: run .ci/networks", dir)
	}
	return dir
}

// prepared returns a folder in which a script of testdata has put networks, inputs and what others make of them. The
// folder is the script's last argument. It is in the user's folder for caches, and is made anew only for another script, other
// arguments or other versions of what the scripts import: what is compared is the same, and exporting takes minutes.
func prepared(t *testing.T, script string, modules []string, args ...string) string {
	t.Helper()
	script = filepath.Join("testdata", script)
	source, err := os.ReadFile(script)
	require.NoError(t, err)
	required, err := os.ReadFile(filepath.Join("..", "..", "internal", "parity", "pytorch", "requirements.txt"))
	require.NoError(t, err)
	versions := regexp.MustCompile(`(?m)^(torch|numpy|onnx|pillow).*$`).FindAllString(string(required), -1)
	require.NotEmpty(t, versions)
	key := fmt.Sprintf("%x", sha256.Sum256(fmt.Append(nil, string(source), args, versions)))
	cache, err := os.UserCacheDir()
	require.NoError(t, err)
	all := filepath.Join(cache, "plexaura", "prepared", strings.TrimSuffix(filepath.Base(script), ".py"))
	root := filepath.Join(all, key[:16])
	if _, err := os.Stat(root); err == nil {
		return root
	}
	interpreter, err := python.Find(modules...)
	if err != nil {
		t.Skip(err)
	}
	require.NoError(t, os.MkdirAll(all, 0o755))
	making, err := os.MkdirTemp(all, "making")
	require.NoError(t, err)
	defer os.RemoveAll(making)
	out, err := exec.Command(interpreter, append(append([]string{script}, args...), making)...).CombinedOutput()
	require.NoError(t, err, string(out))
	forgetOthers(t, all)
	if err := os.Rename(making, root); err != nil { // another test was first
		_, err = os.Stat(root)
		require.NoError(t, err)
	}
	return root
}

// forgetOthers removes the folders in which nothing was made for a week: each has gigabytes.
func forgetOthers(t *testing.T, dir string) {
	folders, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, f := range folders {
		if info, err := f.Info(); err == nil && time.Since(info.ModTime()) > 7*24*time.Hour {
			require.NoError(t, os.RemoveAll(filepath.Join(dir, f.Name())))
		}
	}
}

// The networks that people take from Python packages give what they give in ONNX Runtime: detectors, recognisers
// of text whose width is open, a classifier of files, one of pictures, detectors of speech that decide by a rate.
func TestNetworksOfPythonPackagesGiveTheSameInONNXRuntime(t *testing.T) {
	dir := networksFolder(t)
	runNetworks(t, prepared(t, "networks.py", []string{"onnx", "onnxruntime", "PIL"}, dir))
}

// Networks of torchvision, as PyTorch exports them by tracing and by its compiler, without edits.
func TestExportsOfPyTorchGiveTheSameInONNXRuntime(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes minutes to export")
	}
	runNetworks(t, prepared(t, "exports.py", []string{"onnx", "onnxruntime", "onnxscript", "torchvision"}))
}

// Networks that ONNX Runtime's tool has quantised are as near to their float32 form here as there.
func TestQuantisedNetworksAreAsNearAsInONNXRuntime(t *testing.T) {
	if testing.Short() {
		t.Skip("it exports and calibrates networks")
	}
	root := prepared(t, "quantised.py", []string{"onnx", "onnxruntime", "torchvision"})
	for _, name := range []string{"resnet18", "mobilenet_v2"} {
		folder := filepath.Join(root, name)
		m, err := onnx.ReadFile(filepath.Join(folder, "model.onnx"), onnx.Options{})
		require.NoError(t, err)
		s, err := m.NewSession(cpu.New(), nil)
		require.NoError(t, err)
		got, err := s.Run(t.Context(), protos(t, folder, "input"))
		require.NoError(t, err)
		var want, theirs []float64
		for _, v := range protos(t, folder, "float") {
			want = v.Numbers()
		}
		for output, v := range protos(t, folder, "output") {
			theirs = v.Numbers()
			have := got[output].Numbers()
			t.Logf("%s: distance from float32 %.4f, of ONNX Runtime %.4f", name, distance(have, want), distance(theirs, want))
			require.Less(t, distance(have, want), 1.25*distance(theirs, want)+1e-3)
			require.Equal(t, largest(theirs), largest(have))
		}
	}
}

// distance is the length of the difference from want, of that of want.
func distance(have, want []float64) float64 {
	d, n := 0., 0.
	for i, v := range want {
		d, n = d+(have[i]-v)*(have[i]-v), n+v*v
	}
	return math.Sqrt(d / n)
}

// runNetworks runs the networks that the folders of root name, and compares the results with those there.
func runNetworks(t *testing.T, root string) {
	cases, err := os.ReadDir(root)
	require.NoError(t, err)
	sessions := map[string]*onnx.Session{}
	for _, c := range cases {
		t.Run(c.Name(), func(t *testing.T) {
			folder := filepath.Join(root, c.Name())
			path := filepath.Join(folder, "model.onnx")
			if elsewhere, err := os.ReadFile(filepath.Join(folder, "model")); err == nil {
				path = string(elsewhere)
			}
			s := sessions[path]
			if s == nil {
				m, err := onnx.ReadFile(path, onnx.Options{})
				require.NoError(t, err)
				s, err = m.NewSession(cpu.New(), vm.NewStore(1))
				require.NoError(t, err)
				sessions[path] = s
			}
			got, err := s.Run(t.Context(), protos(t, folder, "input"))
			require.NoError(t, err)
			for name, want := range protos(t, folder, "output") {
				require.NotNil(t, got[name], name)
				require.Equal(t, want.Dims, got[name].Dims, name)
				tolerance := 1e-4
				if strings.HasSuffix(c.Name(), dynamic) {
					tolerance = .02
				}
				requireClose(t, name, want.Numbers(), got[name].Numbers(), tolerance)
				requireSameChoices(t, want, got[name])
			}
		})
	}
}

// dynamic is a network that quantises every value by its own range. ONNX Runtime's own result changes by .0174 of the
// largest value where its input is multiplied by 1+1e-6, since what lies between two integers goes to the other one.
const dynamic = "common_old"

// requireSameChoices compares where the largest element along the last axis is: the letters of recognisers of text,
// and classes.
func requireSameChoices(t *testing.T, want, got *onnx.Tensor) {
	n := want.Dims[len(want.Dims)-1]
	if n < 2 {
		return
	}
	w, g := want.Numbers(), got.Numbers()
	for i := 0; i+n <= len(w); i += n {
		best := largest(w[i : i+n])
		if second := slices.Max(slices.Concat(w[i:i+best], w[i+best+1:i+n])); w[i+best]-second > 1e-3*(1+math.Abs(second)) {
			require.Equal(t, best, largest(g[i:i+n]))
		}
	}
}

func largest(v []float64) int { return slices.Index(v, slices.Max(v)) }

// protos reads the tensors in the files of a kind, by their names.
func protos(t *testing.T, folder, kind string) map[string]*onnx.Tensor {
	files, err := filepath.Glob(filepath.Join(folder, kind+"_*.pb"))
	require.NoError(t, err)
	all := map[string]*onnx.Tensor{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		require.NoError(t, err)
		pb, err := ir.UnmarshalTensor(b)
		require.NoError(t, err)
		all[pb.Name], err = onnx.FromProto(pb)
		require.NoError(t, err)
	}
	require.NotEmpty(t, all, strings.TrimSpace(folder))
	return all
}
