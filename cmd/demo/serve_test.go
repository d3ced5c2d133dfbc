package main

import (
	"bytes"
	"context"
	"encoding/json"
	"image/png"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// asked sends a request to a server and returns its status and body.
func asked(t *testing.T, method, url, kind string, body []byte, headers ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(method, url, bytes.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Content-Type", kind)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	a, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	require.NoError(t, err)
	return a.StatusCode, string(b)
}

// Weights of runs are served by name, a picture is classified as by predict, a file that is replaced
// on disk is loaded again, and Ctrl-C ends it with status 0.
func TestWeightsAreServedUntilCtrlC(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "run")
	for _, out := range []string{folder, folder + "2"} {
		seed := "1"
		if out != folder {
			seed = "2"
		}
		status, _, errs := demo(context.Background(), brief(out, "-seed", seed)...)
		require.Zero(t, status, errs)
	}
	file, other := filepath.Join(folder, "model.safetensors"), filepath.Join(folder+"2", "model.safetensors")
	digit := encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, stroke(20, 20)) })
	token := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(token, []byte("0123456789abcdef\n"), 0o600))
	type answer struct {
		Version string `json:"model_version"`
		Outputs []struct{ Data []float32 }
		Classes []struct{ Name string }
	}
	infer := func(url, name string) (a answer) {
		status, body := asked(t, "POST", url+"v2/models/"+name+"/infer", "image/png", digit)
		require.Equal(t, 200, status, body)
		require.NoError(t, json.Unmarshal([]byte(body), &a))
		return a
	}
	status, out, errs := served(t, func(url string, cancel func(), _ <-chan struct{}) {
		defer cancel()
		first, second := infer(url, "lenet"), infer(url, "b")
		require.Len(t, first.Classes, 5)
		require.NotEqual(t, first.Outputs, second.Outputs)

		b, err := os.ReadFile(other)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(file+".new", b, 0o644))
		require.NoError(t, os.Rename(file+".new", file))
		load := url + "v2/repository/models/lenet/load"
		status, body := asked(t, "POST", load, "", nil)
		require.Equal(t, 401, status, body)
		status, body = asked(t, "POST", load, "", nil, "Authorization", "Bearer 0123456789abcdef")
		require.Equal(t, 200, status, body)
		replaced := infer(url, "lenet")
		require.Equal(t, "2", replaced.Version)
		require.Equal(t, second.Outputs, replaced.Outputs)

		require.NoError(t, os.WriteFile(file, []byte("damaged"), 0o644))
		status, body = asked(t, "POST", load, "", nil, "Authorization", "Bearer 0123456789abcdef")
		require.Equal(t, 400, status, body)
		require.Contains(t, body, "model.safetensors")
		require.Equal(t, replaced, infer(url, "lenet"))
	}, "serve", "-addr", ":0", "-weights", file, "-weights", "b="+other, "-token", token)
	require.Zero(t, status, errs)
	require.Empty(t, errs)
	require.Regexp(t, `^models lenet, b served at http://127\.0\.0\.1:\d+/ until Ctrl-C\n$`, out)
	require.NotContains(t, out, "0123456789abcdef")

	status, _, errs = demo(context.Background(), "serve", "-weights", other, "-weights", other)
	require.Equal(t, 2, status)
	require.Equal(t, "demo serve: -weights: two models are called lenet; name them by NAME=FILE\n", errs)
	status, _, errs = demo(context.Background(), "serve", "-weights", other, "-model", "alexnet")
	require.Equal(t, 1, status)
	require.Equal(t, 1, strings.Count(errs, "\n"), errs)
}

// ONNX files are served by name beside weights: what this program has exported classifies pictures as
// its weights do. A file that is replaced is loaded again, unless it does not fit.
func TestONNXFilesAreServedUntilCtrlC(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "run")
	status, _, errs := demo(context.Background(), brief(folder, "-seed", "1")...)
	require.Zero(t, status, errs)
	weights, file := filepath.Join(folder, "model.safetensors"), filepath.Join(folder, "digits.onnx")
	status, _, errs = demo(context.Background(), "onnx", "export", "-weights", weights, "-o", file)
	require.Zero(t, status, errs)
	token := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(token, []byte("0123456789abcdef\n"), 0o600))
	digit := encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, stroke(20, 20)) })
	type answer struct {
		Version string `json:"model_version"`
		Outputs []struct{ Data []float64 }
		Classes []struct {
			Name        string
			Probability float64
		}
	}
	infer := func(url, name string) (a answer) {
		status, body := asked(t, "POST", url+"v2/models/"+name+"/infer", "image/png", digit)
		require.Equal(t, 200, status, body)
		require.NoError(t, json.Unmarshal([]byte(body), &a))
		return a
	}
	others := onnxTest(t, 3)
	status, out, errs := served(t, func(url string, cancel func(), _ <-chan struct{}) {
		defer cancel()
		own, exported := infer(url, "lenet"), infer(url, "digits")
		require.Len(t, exported.Classes, 5)
		for i, c := range own.Classes {
			require.Equal(t, c.Name, exported.Classes[i].Name)
			require.InDelta(t, c.Probability, exported.Classes[i].Probability, 1e-4)
		}
		status, body := asked(t, "GET", url+"v2/models/digits", "", nil)
		require.Equal(t, 200, status)
		require.Contains(t, body, `"inputs":[{"name":"image","datatype":"FP32","shape":[-1,1,28,28]}],"outputs":[{"name":"logits","datatype":"FP32","shape":[-1,10]}]`)
		status, body = asked(t, "POST", url+"v2/models/relu/infer", "application/json", []byte(`{"inputs":[{"name":"x","datatype":"FP32","shape":[3],"data":[-1,0,2]}]}`))
		require.Equal(t, 200, status, body)
		require.Contains(t, body, `"shape":[3],"data":[0,0,2]`)

		load := func() (int, string) {
			return asked(t, "POST", url+"v2/repository/models/digits/load", "", nil, "Authorization", "Bearer 0123456789abcdef")
		}
		status, body = load()
		require.Equal(t, 200, status, body)
		for other, want := range map[string]string{"relu": "its inputs are", "other": "operators that are not supported: Frobnicate"} {
			b, err := os.ReadFile(filepath.Join(others, other, "model.onnx"))
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(file+".new", b, 0o644))
			require.NoError(t, os.Rename(file+".new", file))
			status, body = load()
			require.Equal(t, 400, status, body)
			require.Contains(t, body, want)
		}
		again := infer(url, "digits")
		require.Equal(t, "2", again.Version)
		require.Equal(t, exported.Outputs, again.Outputs)
	}, "serve", "-addr", ":0", "-weights", weights, "-onnx", file, "-onnx", "relu="+filepath.Join(others, "relu", "model.onnx"), "-token", token)
	require.Zero(t, status, errs)
	require.Empty(t, errs)
	require.Regexp(t, `^models lenet, digits, relu served at http://127\.0\.0\.1:\d+/ until Ctrl-C\n$`, out)

	for _, c := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"-onnx", filepath.Join(others, "other", "model.onnx")}, 1, "operators that are not supported: Frobnicate"},
		{[]string{"-onnx", weights}, 1, "model.safetensors"},
		{[]string{"-onnx", "a=" + filepath.Join(others, "relu", "model.onnx"), "-onnx", "a=" + filepath.Join(others, "relu", "model.onnx")}, 2, "-onnx: two models are called a; name them by NAME=FILE"},
	} {
		status, _, errs = demo(context.Background(), append([]string{"serve"}, c.args...)...)
		require.Equal(t, c.status, status, errs)
		require.Contains(t, errs, c.want)
		require.Equal(t, 1, strings.Count(errs, "\n"), errs)
	}
}
