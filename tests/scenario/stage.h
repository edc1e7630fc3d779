/* The stage on which a story plays: one engine whose world is the story itself. Every line is one word of the table in
 * stage.c with its arguments; numbers take ms, s, m, h. Time moves only by `at` and `after`.
 *
 *   policy NAME key=value...      concurrency rate burst schedule=5s,30s timeout horizon grace close=expiry|always
 *                                 tail=10m,25h late=accept ...
 *   engine key=value...           before start: in_flight batch poll collect lease crash_limit
 *   start | stop                  start again: the policies said since the last one replace those in force
 *   at T | after T                lets virtual time pass; the engine is advanced whenever it asked to be
 *   row NUMBER CHANNEL key=value  what the database will give: amount currency age left phase answers errors
 *                                 unknowns claims
 *   claimed                       the claim under way answers with the rows said since the last one
 *   claim fails FAILURE
 *   answer NUMBER EVIDENCE key=value       amount currency refunded retry_after skew forged
 *   settled [NUMBER=OUTCOME[:REASON]...]   the oldest settle under way answers; others are applied
 *   settle fails FAILURE [SQLSTATE]
 *   released                      the oldest release under way answers
 *   expect ...                    claim CHANNEL=LIMIT... | no claim | asked N... | not asked N... |
 *                                 settle N=VERDICT[:T|:REASON][/PHASE]... | no settle | release N... | note KIND |
 *                                 no note KIND | idle
 */
#ifndef MAKEGOOD_STAGE_H
#define MAKEGOOD_STAGE_H

#include <stdbool.h>

/* Plays one story. False with a sentence in why (file and line included). */
bool story_plays(const char *file, char *why, unsigned why_bytes);

#endif
