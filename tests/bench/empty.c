/* SPDX-License-Identifier: Apache-2.0 */
/* Links what keystay links and does nothing: what no process with these libraries can be faster than. */
int main(void)
{
    return 0;
}
