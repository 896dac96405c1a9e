@echo off
setlocal EnableExtensions DisableDelayedExpansion
rem Called by every numbered launcher: where things are. Makes the environment the first time.
rem   DFL_WORKSPACE      the workspace folder (default: workspace beside main.py)
rem   DFL_VENV           the environment (default: .venv beside main.py)
rem   DFL_SKIP_SETUP=1   the environment is made and kept by somebody else
rem   DFL_NO_PAUSE=1     launchers do not wait for a key at their end
rem Where "setup.bat --wsl" has left the file .wsl, steps run in that Linux; in_wsl.sh is their other end.
set "ERRORLEVEL="
for %%I in ("%~dp0..") do set "DFL_ROOT=%%~fI"
rem A value may have been given with quotes or with a backslash at its end, which would hide the quote that follows it.
if defined DFL_WORKSPACE set "DFL_WORKSPACE=%DFL_WORKSPACE:"=%"
if defined DFL_PRETRAIN_FACES set "DFL_PRETRAIN_FACES=%DFL_PRETRAIN_FACES:"=%"
if defined DFL_PRETRAIN_QUICK96 set "DFL_PRETRAIN_QUICK96=%DFL_PRETRAIN_QUICK96:"=%"
if defined DFL_GENERIC_XSEG set "DFL_GENERIC_XSEG=%DFL_GENERIC_XSEG:"=%"
if defined DFL_VENV set "DFL_VENV=%DFL_VENV:"=%"
if not defined DFL_WORKSPACE set "DFL_WORKSPACE=%DFL_ROOT%\workspace"
if not defined DFL_PRETRAIN_FACES set "DFL_PRETRAIN_FACES=%DFL_ROOT%\pretrain_faces"
if not defined DFL_PRETRAIN_QUICK96 set "DFL_PRETRAIN_QUICK96=%DFL_ROOT%\pretrain_Quick96"
if not defined DFL_GENERIC_XSEG set "DFL_GENERIC_XSEG=%DFL_ROOT%\model_generic_xseg"
if not defined DFL_VENV set "DFL_VENV=%DFL_ROOT%\.venv"
if "%DFL_WORKSPACE:~-1%"=="\" set "DFL_WORKSPACE=%DFL_WORKSPACE%."
if "%DFL_PRETRAIN_FACES:~-1%"=="\" set "DFL_PRETRAIN_FACES=%DFL_PRETRAIN_FACES%."
if "%DFL_PRETRAIN_QUICK96:~-1%"=="\" set "DFL_PRETRAIN_QUICK96=%DFL_PRETRAIN_QUICK96%."
if "%DFL_GENERIC_XSEG:~-1%"=="\" set "DFL_GENERIC_XSEG=%DFL_GENERIC_XSEG%."
if "%DFL_VENV:~-1%"=="\" set "DFL_VENV=%DFL_VENV%."
set "DFL_PYTHON_EXE=%DFL_VENV%\Scripts\python.exe"
set "DFL_VIA="
if exist "%DFL_ROOT%\.wsl" goto wsl
if "%DFL_SKIP_SETUP%"=="1" goto ready
set "DFL_SCRIPTS=%~dp0"
set "DFL_CALL=%%DFL_SCRIPTS%%setup.bat"
call "%DFL_CALL%" --for-launcher
if errorlevel 1 exit /b 1
goto ready
:wsl
set "DFL_DISTRIBUTION="
for /f "usebackq tokens=1* delims==" %%A in ("%DFL_ROOT%\.wsl") do set "DFL_DISTRIBUTION=%%B"
set "DFL_PYTHON_EXE=wsl.exe"
set "DFL_VIA=--exec bash -c "IFS=; set -f; . $DFL_ROOT/scripts/in_wsl.sh""
if defined DFL_DISTRIBUTION set "DFL_VIA=--distribution %DFL_DISTRIBUTION% %DFL_VIA%"
rem What Linux gets to see; /p: a path, which is translated on the way.
set "DFL_TO_LINUX=DFL_ROOT/p:DFL_WORKSPACE/p:DFL_PRETRAIN_FACES/p:DFL_PRETRAIN_QUICK96/p:DFL_GENERIC_XSEG/p"
set "DFL_TO_LINUX=%DFL_TO_LINUX%:DFL_ANSWERS/p:DFL_CONFIG_DIR/p:DFL_VENV_WSL:DFL_SKIP_SETUP:DFL_SAMPLE_CLIPS:DFL_MAX_MEGAPIXELS"
set "DFL_TO_LINUX=%DFL_TO_LINUX%:DFL_CUDA:DFL_TENSORFLOW:DFL_ONNX:DFL_JAX:CUDA_VISIBLE_DEVICES:TF_CPP_MIN_LOG_LEVEL"
if defined WSLENV set "DFL_TO_LINUX=%WSLENV%:%DFL_TO_LINUX%"
:ready
(
    endlocal
    set "DFL_ROOT=%DFL_ROOT%"
    set "DFL_WORKSPACE=%DFL_WORKSPACE%"
    set "DFL_PRETRAIN_FACES=%DFL_PRETRAIN_FACES%"
    set "DFL_PRETRAIN_QUICK96=%DFL_PRETRAIN_QUICK96%"
    set "DFL_GENERIC_XSEG=%DFL_GENERIC_XSEG%"
    set "DFL_VENV=%DFL_VENV%"
    set "DFL_PYTHON_EXE=%DFL_PYTHON_EXE%"
    set "DFL_VIA=%DFL_VIA%"
    set "DFL_TO_LINUX=%DFL_TO_LINUX%"
)
if defined DFL_TO_LINUX set "WSLENV=%DFL_TO_LINUX%"
if not defined TF_CPP_MIN_LOG_LEVEL set "TF_CPP_MIN_LOG_LEVEL=3"
if exist "%DFL_ROOT%\.cpu_only" set "CUDA_VISIBLE_DEVICES=-1"
exit /b 0
