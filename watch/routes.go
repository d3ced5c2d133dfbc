package watch

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/plexaura/plexaura/internal/plain"
)

func (r *Run) kind() string {
	if r == nil || r.readers == nil {
		return ""
	}
	return "run"
}

func (r *Run) routes(_ *Server, mux *http.ServeMux) {
	mux.HandleFunc("GET /api/maps", r.serveMaps)
	mux.HandleFunc("POST /api/stop", r.serveStop)
	mux.HandleFunc("POST /api/predict", r.serveTrial)
}

// serveMaps sends the maps of the layers for one of the examples, "example", counted from 0.
func (r *Run) serveMaps(w http.ResponseWriter, q *http.Request) {
	r.mu.Lock()
	all := r.maps
	r.mu.Unlock()
	i, err := strconv.Atoi(q.FormValue("example"))
	if err != nil || i < 0 || i >= len(all) {
		http.Error(w, fmt.Sprintf("there are maps of %d examples, counted from 0", len(all)), http.StatusNotFound)
		return
	}
	reply(w, all[i])
}

// serveStop asks the run to stop.
func (r *Run) serveStop(w http.ResponseWriter, _ *http.Request) {
	if err := r.requestStop(); err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	reply(w, "the run stops after this step, and is saved")
}

// serveTrial makes a prediction for the picture in the request.
func (r *Run) serveTrial(w http.ResponseWriter, q *http.Request) {
	r.mu.Lock()
	t := r.trial
	r.mu.Unlock()
	if t == nil {
		http.Error(w, "pictures can be tried when the run is over", http.StatusConflict)
		return
	}
	file, err := io.ReadAll(http.MaxBytesReader(w, q.Body, maxUpload))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		http.Error(w, fmt.Sprintf("the picture is larger than %d bytes", tooLarge.Limit), http.StatusRequestEntityTooLarge)
		return
	}
	if err != nil {
		return // the browser has gone away
	}
	m, err := t.try(q.Context(), file)
	if err != nil {
		http.Error(w, plain.Line(err.Error()), http.StatusUnprocessableEntity)
		return
	}
	reply(w, m)
}
