package browser

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

var shots = flag.String("shots", "", "a `folder` for pictures of the page")

// binary is the program, built by TestMain; empty where that failed.
var binary string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "browser")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		binary = filepath.Join(dir, "demo")
		build := exec.Command("go", "build", "-o", binary, "./cmd/demo")
		build.Dir = filepath.Join("..", "..")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "%s\n%v\n", out, err)
			return 1
		}
		return m.Run()
	}())
}

// tab is a page of a browser.
type tab struct {
	*testing.T
	ctx context.Context
}

// browser returns a tab of a browser of its own. Whatever the page complains of fails the test.
func browser(t *testing.T) tab {
	t.Helper()
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Skip("there is no Chromium; Debian packages it as chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.WindowSize(1280, 900))
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	b := tab{t, ctx}
	b.do()
	return b
}

// patience is how long anything may take, on a slow machine.
const patience = 40 * time.Second

// do does one after the other.
func (b tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	ctx := b.ctx
	if len(steps) > 0 { // the first call, without any, starts the browser, which lives as long as its context
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	require.NoError(b, chromedp.Do(ctx, steps...))
}

// value is what a script gives.
func value[T any](b tab, script string) T {
	b.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	require.NoError(b, err, script)
	return v
}

// until waits until a script gives true.
func until(script string) chromedp.Action[chromedp.Void] {
	return chromedp.Poll[chromedp.Void](script, chromedp.WithPollingTimeout(patience), chromedp.WithPollingInterval(50*time.Millisecond))
}

// phase waits until the page says so of the run.
func phase(want string) chromedp.Action[chromedp.Void] {
	return until(fmt.Sprintf(`document.getElementById("phase").textContent === %q`, want))
}

// stepped waits until the page tells of a step: a run that is stopped before has nothing to save.
func stepped() chromedp.Action[chromedp.Void] {
	return until(`/step [1-9]/.test(document.getElementById("where").textContent)`)
}

// program is a run of the command.
type program struct {
	cmd  *exec.Cmd
	url  string
	mu   sync.Mutex
	said strings.Builder
	done chan struct{}
}

var printed = regexp.MustCompile(`http://\S+/`)

// start runs the command and returns when it has told where its page is.
func start(t *testing.T, args ...string) *program {
	t.Helper()
	p := &program{cmd: exec.Command(binary, args...), done: make(chan struct{})}
	r, w := io.Pipe()
	p.cmd.Stdout, p.cmd.Stderr = w, w
	require.NoError(t, p.cmd.Start())
	urls := make(chan string, 1)
	go func() {
		for lines := bufio.NewScanner(r); lines.Scan(); {
			p.mu.Lock()
			fmt.Fprintln(&p.said, lines.Text())
			p.mu.Unlock()
			if url := printed.FindString(lines.Text()); url != "" {
				select {
				case urls <- url:
				default:
				}
			}
		}
	}()
	go func() {
		_ = p.cmd.Wait()
		w.Close()
		close(p.done)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.done
	})
	select {
	case p.url = <-urls:
	case <-p.done:
		t.Fatalf("it has ended:\n%s", p.output())
	case <-time.After(30 * time.Second):
		t.Fatalf("it does not tell where its page is:\n%s", p.output())
	}
	return p
}

func (p *program) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.String()
}

// interrupt is Ctrl-C; it returns the exit status.
func (p *program) interrupt(t *testing.T) int {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(os.Interrupt))
	select {
	case <-p.done:
	case <-time.After(20 * time.Second):
		t.Fatalf("it does not end:\n%s", p.output())
	}
	return p.cmd.ProcessState.ExitCode()
}

// shot takes pictures of the page as wide screens and telephones have it, light and dark.
func (b tab) shot(name string) {
	b.Helper()
	if *shots == "" {
		return
	}
	require.NoError(b, os.MkdirAll(*shots, 0o777))
	for _, width := range []int64{1280, 400} {
		for _, scheme := range []string{"light", "dark"} {
			b.do(chromedp.EmulateViewport(width, 900), prefers(scheme), chromedp.Sleep(600*time.Millisecond))
			picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
			require.NoError(b, err)
			file := filepath.Join(*shots, fmt.Sprintf("%s-%d-%s.png", name, width, scheme))
			require.NoError(b, os.WriteFile(file, picture, 0o666))
		}
	}
	b.do(chromedp.EmulateViewport(1280, 900), prefers("light"))
}

// prefers has the page drawn light or dark.
func prefers(scheme string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return err
	})
}

// fits says that the page does not scroll sideways at a width.
func (b tab) fits(width int64) {
	b.Helper()
	b.do(chromedp.EmulateViewport(width, 900), chromedp.Sleep(300*time.Millisecond))
	require.LessOrEqual(b, value[int64](b, `document.documentElement.scrollWidth`), width, "the page scrolls sideways")
}

// stroke draws a line on the page's paper, through points in its 280 by 280 pixels.
func (b tab) stroke(points ...[2]float64) {
	b.Helper()
	b.do(chromedp.ScrollIntoView("#paper"))
	left := value[float64](b, `document.getElementById("paper").getBoundingClientRect().left`)
	top := value[float64](b, `document.getElementById("paper").getBoundingClientRect().top`)
	for i, p := range points {
		kind := chromedp.MouseMoved
		if i == 0 {
			kind = chromedp.MousePressed
		}
		b.do(chromedp.MouseEvent(kind, left+p[0], top+p[1], chromedp.ButtonLeft))
	}
	last := points[len(points)-1]
	b.do(chromedp.MouseEvent(chromedp.MouseReleased, left+last[0], top+last[1], chromedp.ButtonLeft))
}
