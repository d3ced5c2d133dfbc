package browser

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

const predicted = `document.querySelector("#prediction li:first-child .class")?.textContent ?? ""`

func TestADigitThatIsDrawnIsRecognised(t *testing.T) {
	b := browser(t)
	p := start(t, "train", "-ui", ":0", "-epochs", "1", "-limit", "20000", "-metrics", "f1.macro", "-out", filepath.Join(t.TempDir(), "run"))
	b.do(chromedp.Navigate(p.url), phase("finished"), chromedp.WaitVisible("#paper"))
	b.do(until(`[...document.querySelectorAll("#charts .card")].some(c => c.querySelector("h2").textContent === "f1.macro" && c.querySelector(".uplot"))`))

	b.stroke([2]float64{80, 60}, [2]float64{140, 60}, [2]float64{200, 60}, [2]float64{180, 110}, [2]float64{150, 160}, [2]float64{125, 230})
	b.do(until(predicted + ` === "7"`))
	require.Equal(t, 12, value[int](b, `document.querySelectorAll("#trial-maps canvas").length`), "the input, and each layer of LeNet but Flatten")
	b.shot("trial")
	b.fits(1280)
	b.fits(400)

	b.do(chromedp.EmulateViewport(1280, 900), chromedp.Click("#clear"))
	require.Empty(t, value[string](b, predicted))
	b.stroke([2]float64{140, 50}, [2]float64{140, 100}, [2]float64{140, 150}, [2]float64{140, 230})
	b.do(until(predicted + ` === "1"`))

	require.Zero(t, p.interrupt(t), p.output())
	b.do(phase("ended"))
}

func TestARunIsStoppedFromThePage(t *testing.T) {
	b := browser(t)
	folder := filepath.Join(t.TempDir(), "run")
	p := start(t, "train", "-ui", "127.0.0.1:0", "-stay=false", "-epochs", "1000", "-out", folder)
	b.do(chromedp.Navigate(p.url), phase("training"),
		until(`document.querySelectorAll("#charts .uplot").length === 6 && document.querySelectorAll("#maps canvas").length > 0`))
	require.Contains(t, value[string](b, `document.title`), "lenet on mnist")
	if *shots != "" {
		b.do(chromedp.Sleep(10 * time.Second))
	}
	b.shot("training")
	b.fits(400)
	b.fits(1280)

	// Another browser sees the same, and going away disturbs nothing.
	ctx, goAway := chromedp.NewContext(b.ctx)
	other := tab{t, ctx}
	other.do()
	other.do(chromedp.Navigate(p.url), phase("training"))
	goAway()

	b.do(stepped(), chromedp.Click("#stop"), phase("ended"))
	<-p.done
	require.Zero(t, p.cmd.ProcessState.ExitCode(), p.output())
	require.Contains(t, p.output(), "stopped at a whole step and saved; go on with: ")
	require.FileExists(t, filepath.Join(folder, "model.safetensors"))
}

// A page of another site can neither read the page nor stop the run.
func TestAnotherSiteStopsNothing(t *testing.T) {
	b := browser(t)
	p := start(t, "train", "-ui", ":0", "-epochs", "1000", "-out", filepath.Join(t.TempDir(), "run"))
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<p>another site") }))
	defer site.Close()
	attempt := func(what string) string {
		return fmt.Sprintf(`(async () => { try { const a = await %s; return a.type + await a.text(); } catch (e) { return "refused"; } })()`, what)
	}
	b.do(chromedp.Navigate(site.URL))
	require.Equal(t, "refused", value[string](b, attempt(fmt.Sprintf(`fetch(%q)`, p.url))))
	require.Equal(t, "refused", value[string](b, attempt(fmt.Sprintf(`fetch(%q, {method: "POST", mode: "no-cors"})`, p.url+"api/stop"))))
	require.Equal(t, "refused", value[string](b, attempt(fmt.Sprintf(`fetch(%q, {method: "POST", headers: {"X-Page-Token": "?"}})`, p.url+"api/stop"))))

	b.do(chromedp.Navigate(p.url), phase("training"), stepped())
	require.Equal(t, 1, p.interrupt(t))
	require.Contains(t, p.output(), "stopped at a whole step and saved")
	b.do(phase("ended"))
}

func TestRunsAreShownSideBySide(t *testing.T) {
	b := browser(t)
	dir := t.TempDir()
	var folders []string
	for _, rate := range []string{"0.05", "0.005"} {
		folder := filepath.Join(dir, "lr"+rate)
		out, err := exec.Command(binary, "train", "-epochs", "3", "-limit", "3000", "-test-limit", "500", "-lr", rate, "-metrics", "f1.macro,log_loss", "-out", folder).CombinedOutput()
		require.NoError(t, err, string(out))
		folders = append(folders, folder)
	}
	p := start(t, append([]string{"watch", "-ui", ":0"}, folders...)...)
	b.do(chromedp.Navigate(p.url), until(`document.querySelectorAll("#charts .uplot").length === 8`))
	table := value[string](b, `document.getElementById("table").textContent`)
	require.Contains(t, table, "0.005")
	require.Contains(t, table, "3 of 3")
	require.Contains(t, table, "finished")
	b.shot("folders")
	b.fits(400)
	require.Zero(t, p.interrupt(t), p.output())
}
