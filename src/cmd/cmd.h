/* cmd.h - the verbs of the program `runpost`. Each gets argv from its own name on and returns an
 * exit code. */
#ifndef RP_CMD_CMD_H
#define RP_CMD_CMD_H

int rp_cmd_init(int argc, char **argv);
int rp_cmd_ingest(int argc, char **argv);
int rp_cmd_serve(int argc, char **argv);
int rp_cmd_send(int argc, char **argv);
int rp_cmd_check_config(int argc, char **argv);
int rp_cmd_sign_url(int argc, char **argv);
int rp_cmd_demo(int argc, char **argv);

#endif
