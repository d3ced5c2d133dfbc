package lecture

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestThePageHasEverythingInItself: no script, and nothing to be fetched but what a reader follows.
func TestThePageHasEverythingInItself(t *testing.T) {
	c, err := Find("edges")
	require.NoError(t, err)
	c.Says = "a < b & c"
	html, err := Page([]Section{{c, taught(t, "edges")}})
	require.NoError(t, err)
	text := string(html)
	for _, want := range []string{
		`<h2 id="edges">`, "a &lt; b &amp; c", "<td>falls before</td><td>sample 5</td>", `src="data:image/png;base64,iVBOR`,
		"func edges(ctx context.Context, b *Board) error", "https://arxiv.org/abs/1603.07285",
	} {
		require.Contains(t, text, want)
	}
	for _, no := range []string{"<script", "src=\"http", "href=\"/", "@import", "url("} {
		require.NotContains(t, text, no)
	}
	require.Equal(t, strings.Count(text, "<section>"), strings.Count(text, "</section>"))
}

func TestAPercentSignStaysWithItsNumber(t *testing.T) {
	b := NewBoard(Options{})
	b.say("%d %% of < 100 %%", 5)
	c, err := Find("edges")
	require.NoError(t, err)
	html, err := Page([]Section{{c, b}})
	require.NoError(t, err)
	require.Contains(t, string(html), "<p>5\u00a0% of &lt; 100\u00a0%</p>")
}

func TestEveryChapterShowsItsCode(t *testing.T) {
	for _, c := range Chapters() {
		code, err := Section{Chapter: c}.Code()
		require.NoError(t, err)
		require.Contains(t, strings.ToLower(code), "func "+c.Name+"(ctx context.context, b *board) error") // leNet, of chapter lenet
	}
}
