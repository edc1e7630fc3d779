// river, with the arguments that begun.mjs tells of. Its scheduler makes jobs available ahead of time; its producer
// looks for those that are due every FetchPollInterval, and takes as many as it has workers.
package main

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

type orderArgs struct {
	N int `json:"n"`
}

func (orderArgs) Kind() string { return "order" }

type orderWorker struct {
	river.WorkerDefaults[orderArgs]
	count int
	file  string
	mutex sync.Mutex
	lines []string
}

func (w *orderWorker) Work(_ context.Context, job *river.Job[orderArgs]) error {
	line := fmt.Sprintf("%d\t%d\n", job.Args.N, time.Now().UnixMicro())
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.lines = append(w.lines, line)
	if len(w.lines) == w.count {
		w.write()
	}
	return nil
}

func (w *orderWorker) write() {
	must(os.WriteFile(w.file+".part", []byte(strings.Join(w.lines, "")), 0o644))
	must(os.Rename(w.file+".part", w.file))
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func number(at int) int {
	n, err := strconv.Atoi(os.Args[at])
	must(err)
	return n
}

func fill(ctx context.Context, pool *pgxpool.Pool, count, first, gap int) {
	driver := riverpgxv5.New(pool)
	migrator, err := rivermigrate.New[pgx.Tx](driver, nil)
	must(err)
	_, err = migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
	must(err)
	client, err := river.NewClient(driver, &river.Config{})
	must(err)
	jobs := make([]river.InsertManyParams, count)
	for n := range jobs {
		due := time.UnixMilli(int64(first + n*gap))
		jobs[n] = river.InsertManyParams{Args: orderArgs{n}, InsertOpts: &river.InsertOpts{ScheduledAt: due}}
	}
	_, err = client.InsertManyFast(ctx, jobs)
	must(err)
}

func work(ctx context.Context, pool *pgxpool.Pool, worker *orderWorker, setting string) {
	config := &river.Config{
		Logger:  slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
		Queues:  map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 1000}},
		Workers: river.NewWorkers(),
	}
	if setting == "tight" {
		config.FetchCooldown, config.FetchPollInterval = river.FetchCooldownMin, river.FetchPollIntervalMin
	}
	river.AddWorker(config.Workers, worker)
	client, err := river.NewClient(riverpgxv5.New(pool), config)
	must(err)
	ended, _ := signal.NotifyContext(ctx, syscall.SIGTERM)
	must(client.Start(ctx))
	<-ended.Done()
	worker.mutex.Lock()
	if len(worker.lines) < worker.count {
		worker.write()
	}
}

func main() {
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, "")
	must(err)
	if os.Args[1] == "fill" {
		fill(ctx, pool, number(2), number(3), number(4))
	} else {
		work(ctx, pool, &orderWorker{count: number(2), file: os.Args[3]}, os.Args[4])
	}
}
