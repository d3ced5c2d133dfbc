package watch

import "time"

// budget limits a repeated task: it may start at most once per interval `every`, and take at most
// the given share of the time.
type budget struct {
	every time.Duration
	share float64
	next  time.Time
}

func (b *budget) due(now time.Time) bool { return !now.Before(b.next) }

// spent records that the task, which has just ended, took the given time.
func (b *budget) spent(now time.Time, took time.Duration) {
	b.next = now.Add(max(b.every, time.Duration(float64(took)/b.share)))
}
