/*
 * The commands. Each takes the words after its name, NULL at the end, and
 * returns the exit status; output it has written is flushed by main().
 */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

int cmd_query(char **words);
int cmd_explain(char **words);
int cmd_exec(char **words);
int cmd_import(char **words);
int cmd_watch(char **words);
int cmd_backup(char **words);

#endif
