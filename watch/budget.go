package watch

import "time"

// budget says when something that is done again and again may be done: not more often than every
// `every`, and so that it takes at most the given share of the time.
type budget struct {
	every time.Duration
	share float64
	next  time.Time
}

func (b *budget) due(now time.Time) bool { return !now.Before(b.next) }

// spent tells that it took so long, until now.
func (b *budget) spent(now time.Time, took time.Duration) {
	b.next = now.Add(max(b.every, time.Duration(float64(took)/b.share)))
}
