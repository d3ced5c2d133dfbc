package main

import (
	"bytes"
	"context"
	"fmt"
	"image/png"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/plexaura/plexaura/train"
)

// served runs a command that serves a page, and calls see once with the page's address.
// stays is closed when the page is all that is left.
func served(t *testing.T, see func(url string, cancel func(), stays <-chan struct{}), args ...string) (status int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	out := &whenServed{stays: make(chan struct{})}
	out.see = func(url string) { see(url, cancel, out.stays) }
	var errs bytes.Buffer
	status = run(ctx, calledAs("demo"), args, out, &errs)
	out.group.Wait()
	return status, out.text.String(), errs.String()
}

// whenServed looks for the address in what is printed.
type whenServed struct {
	see   func(url string)
	stays chan struct{}
	text  bytes.Buffer
	once  sync.Once
	group sync.WaitGroup
}

func (w *whenServed) Write(p []byte) (int, error) {
	if url := regexp.MustCompile(`http://\S+/`).FindString(string(p)); url != "" {
		w.once.Do(func() { w.group.Go(func() { w.see(url) }) })
	}
	if bytes.Contains(p, []byte("until Ctrl-C")) {
		close(w.stays)
	}
	return w.text.Write(p)
}

// get reads a page until it ends.
func get(t *testing.T, url string) string {
	a, err := http.Get(url)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	if err != nil {
		t.Error(err)
	}
	return string(b)
}

// post sends what its page would.
func post(t *testing.T, page, path, body string) string {
	token := regexp.MustCompile(`name="page-token" content="(\w+)"`).FindStringSubmatch(get(t, page))
	if token == nil {
		t.Error("the page has no token")
		return ""
	}
	r, err := http.NewRequest(http.MethodPost, page+path, strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return ""
	}
	r.Header.Set("X-Page-Token", token[1])
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	if err != nil {
		t.Error(err)
	}
	return a.Status + " " + string(b)
}

func TestAStopFromThePageIsSavedAndCanGoOn(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "run")
	status, out, errs := served(t, func(url string, _ func(), _ <-chan struct{}) {
		require.Contains(t, post(t, url, "api/stop", ""), "200 OK")
	}, brief(folder, "-epochs", "100000", "-ui", ":0", "-stay=false")...)
	require.Zero(t, status, errs)
	require.Contains(t, out, "the run is shown at http://127.0.0.1:")
	require.NotContains(t, out, "the page stays")
	c, err := train.LoadCheckpoint(filepath.Join(folder, train.CheckpointFile))
	if strings.Contains(out, "before the first step") {
		require.Error(t, err)
		return
	}
	require.NoError(t, err)
	require.Contains(t, out, "stopped at a whole step and saved; go on with: demo train -resume -out "+folder+"\n")
	more := len(c.Progress.Epochs) + 1
	status, out, errs = demo(context.Background(), "train", "-resume", "-out", folder, "-epochs", fmt.Sprint(more))
	require.Zero(t, status, errs)
	require.Contains(t, out, fmt.Sprintf("epoch %d/%d: ", more, more))
}

// After training a digit can be tried on the page, until Ctrl-C, which is then no failure.
func TestThePageStaysUntilCtrlC(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "run")
	digit := string(encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, stroke(20, 20)) }))
	status, out, errs := served(t, func(url string, cancel func(), stays <-chan struct{}) {
		defer cancel()
		events := make(chan string, 1)
		go func() { events <- get(t, url+"api/events") }()
		for answer := ""; !strings.HasPrefix(answer, "200"); {
			answer = post(t, url, "api/predict", digit)
			if !strings.HasPrefix(answer, "409") { // the run is not over
				require.Regexp(t, `^200 OK \{"input":.*"top":\[\{"name":"\d"`, answer)
			}
		}
		<-stays
		cancel()
		require.Contains(t, <-events, "event: bye", "the page is told that it ends")
	}, brief(folder, "-ui", "127.0.0.1:0")...)
	require.Zero(t, status, errs)
	require.Regexp(t, `(?m)^the page stays at http://127\.0\.0\.1:\d+/, to draw digits or try pictures, until Ctrl-C$`, out)
	require.Contains(t, out, "saved in "+folder)
}

// Ctrl-C ends a run that is watched as it does any other.
func TestCtrlCEndsARunThatIsWatched(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "run")
	status, _, errs := served(t, func(url string, cancel func(), _ <-chan struct{}) {
		a, err := http.Get(url + "api/events")
		require.NoError(t, err)
		defer a.Body.Close()
		head := make([]byte, 1<<16)
		for text := ""; !strings.Contains(text, `"epochs"`); {
			n, err := a.Body.Read(head)
			require.NoError(t, err)
			text += string(head[:n])
		}
		cancel()
	}, brief(folder, "-epochs", "100000", "-ui", ":0")...)
	require.Equal(t, 1, status)
	require.Regexp(t, `^demo train: stopped (at a whole step and saved; go on with: demo train -resume -out |before the first step)`, errs)
}

// Without -ui nothing is put into the loop of training.
func TestARunThatIsNotWatchedHasNoHooks(t *testing.T) {
	w, err := (&trainRun{}).openWindow("", true)
	require.NoError(t, err)
	require.Nil(t, w)
	var c train.Config
	w.attach(&c)
	require.Nil(t, c.OnStart)
	require.Nil(t, c.OnStep)
	require.Nil(t, c.OnEpoch)
	w.finish(nil, nil)
	require.False(t, w.stopped())
	require.NoError(t, w.linger(context.Background()))
	w.close()
}

func TestRunsAreWatchedUntilCtrlC(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "run")
	status, _, errs := demo(context.Background(), brief(folder)...)
	require.Zero(t, status, errs)
	status, out, errs := served(t, func(url string, cancel func(), _ <-chan struct{}) {
		defer cancel()
		require.Contains(t, get(t, url), `data-kind="folders"`)
	}, "watch", folder)
	require.Zero(t, status, errs)
	require.Regexp(t, `^the runs are shown at http://127\.0\.0\.1:\d+/ until Ctrl-C\n$`, out)
}

func TestWhoCanReachAPageIsTold(t *testing.T) {
	for _, local := range []string{":0", "localhost:0", "127.0.0.1:0", "[::1]:0", "127.8.0.1:80"} {
		require.Empty(t, reach(local, "see it"), local)
	}
	for _, open := range []string{"0.0.0.0:0", "[::]:0", "192.0.2.1:80", "host.example:80"} {
		require.Equal(t, "; whoever can reach this machine may see it", reach(open, "see it"), open)
	}
}
